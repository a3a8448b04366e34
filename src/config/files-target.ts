import { z } from 'zod'
import { bandwidth, duration, path } from './units.ts'

const texts = z.array(z.string().min(1))

/** A folder that is kept in step with files elsewhere. The name of the target is that of the tree. */
export const filesTarget = z.strictObject({
  kind: z.literal('files').describe('what is kept in step'),
  from: texts
    .min(1)
    .describe(
      'where the files are, the best place first: a URL, a folder, or `cluster` for the nodes that serve the tree',
    ),
  folder: path().describe('where they are kept'),
  apiKeyFile: path().optional().describe('file that holds the key shown to the sources'),
  s3CredentialsFile: path().optional().describe('file that holds the S3 credentials shown to the sources'),
  prefixes: texts.default([]).describe('only what begins so'),
  include: texts.default([]).describe('only what one of these patterns means: `*.om`, `icon/**`, `{a,b}/`'),
  exclude: texts.default([]).describe('nothing of what one of these patterns means'),
  pastDays: z.number().int().min(1).optional().describe('only what is of the last days'),
  newestChunks: z.number().int().min(1).optional().describe('only the newest chunks in each folder'),
  domains: texts.default([]).describe('models of an Open-Meteo server'),
  variables: texts.default([]).describe('and the variables of them'),
  interval: duration({ min: '1s', max: '1d' })
    .prefault('5m')
    .describe('how often the sources are asked; sources that tell changes wake it at once'),
  delete: z.boolean().default(false).describe('remove what the source has no more'),
  deleteMax: z
    .string()
    .regex(/^\d{1,12}%?$/, { error: 'takes a number of files, or a share as 20%' })
    .optional()
    .describe('how many files may be removed at once; a tenth when not set'),
  bandwidth: bandwidth().optional().describe('bytes a second, as 10M, or a timetable as "08:00,10M 18:00,off"'),
  concurrency: z.number().int().min(1).max(256).optional().describe('how many files travel at once at most'),
  groups: texts
    .default([])
    .describe('folders, as patterns, whose files are shown all together or not at all: such as `runs/*/` for each run'),
  flip: z
    .enum(['alone', 'together'])
    .default('alone')
    .describe('`together`: a group is shown on all nodes at once, when all have it'),
  flipWait: duration({ min: '1s', max: '1d' })
    .prefault('10m')
    .describe('with `together`: how long a group waits for nodes that are alive and do not have it'),
  keepGenerations: z.number().int().min(0).max(100).default(1).describe('how many older generations of a group stay'),
})
