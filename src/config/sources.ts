import { z } from 'zod'
import { isName } from '../core/keys.ts'
import { duration, path } from './units.ts'

const treeName = z.string().refine(isName, {
  error: 'a tree has a name of 1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit',
})

const source = z.strictObject({
  folder: path().describe('folder to follow; it may lie on shared storage, as it is scanned'),
  kind: z
    .enum(['erddap', 'geoserver'])
    .default('erddap')
    .describe('what the folder holds; of `geoserver`, a data directory, which may be a checkout of git'),
  interval: duration({ min: '1s', max: '1d' }).prefault('30s').describe('how often it is scanned'),
  quarantine: z.boolean().default(false).describe('keep the last good version of files that fail their checks'),
})

/** Folders whose contents are released whenever they change. */
export const sources = z.record(treeName, source).default({}).describe('folders to follow, by tree')
