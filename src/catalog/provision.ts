import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Op } from '../core/op.ts'
import { FlotillaError } from '../core/errors.ts'
import type { FileTree } from '../core/tree.ts'
import { forEachLimited } from '../lib/limited.ts'
import { makeFolder } from '../lib/make-folder.ts'
import { type BoxKeys, newBoxKeys } from '../lib/sealed-box.ts'
import type { Secret } from '../lib/secret.ts'
import { VERSIONS_FILE } from '../targets/geoserver/definition/classify.ts'
import type { CatalogEntry } from '../targets/geoserver/definition/model.ts'
import { onDisk } from '../targets/geoserver/definition/on-disk.ts'
import { Overlay } from '../targets/geoserver/definition/overlay.ts'
import { ReleaseReader } from '../targets/geoserver/definition/release.ts'
import { placeFile } from '../targets/geoserver/directory/place.ts'
import { minorOf } from '../targets/geoserver/rest/about.ts'
import { placeKeystore, type SecretFile } from './keystore.ts'
import { askForKeystore, confirmTaken, type Handover, openKeystore, type SealDeps } from './seals.ts'

export interface ProvisionOptions extends SealDeps, Handover {
  readonly dataDirectory: string
  /** What is released now. */
  readonly release: FileTree
  /**
   * Known here and, by the mouth of a person, at the giver: what the hub carries is then of no use to it. Undefined: the hub, and
   * whoever can write into its store, are trusted, and the giver must be set to share.
   */
  readonly code: Secret | undefined
  /** Version of the GeoServer that is to run here, where it is known. */
  readonly version?: string | undefined
  /** Take the keystore although another one is here. */
  readonly replaceKeystore: boolean
  /** How long to wait for the giver. */
  readonly waitMs: number
}

export interface Provisioned {
  readonly files: number
  readonly keystore: 'placed' | 'same' | 'replaced'
}

const LOOK_MS = 500
const AT_ONCE = 8
const GLOBAL = 'global.xml'

/**
 * Makes a data directory of what is released, with the keystore of a node that has it, before GeoServer first starts there: one that
 * starts without makes its own, and can then read no password of a release. Cut short, it can be run again.
 *
 * Rejects with `GUARD` where a data directory, or another keystore, is there already, with `PREPARE_FAILED` for another version of
 * GeoServer, with `CORRUPT` where what was given does not open, and `NOT_READY` where nothing was given in time.
 */
export async function provision(options: ProvisionOptions, op: Op = {}): Promise<Provisioned> {
  const { dataDirectory, release, replaceKeystore } = options
  if (existsSync(join(dataDirectory, GLOBAL))) {
    throw new FlotillaError('GUARD', `${dataDirectory} is a data directory already; nothing was changed`, {
      hint: 'Its agent brings it in step: only the keystore must be that of the others. Or name an empty folder.',
    })
  }
  await requireVersion(options, op)
  const entries = await entriesOf(release, op)
  await makeFolder(dataDirectory, 0o750)
  const boxKeys = newBoxKeys()
  const request = { id: randomBytes(16).toString('hex'), publicKey: boxKeys.publicKey }
  await askForKeystore(options, options, request, op)
  const files = await given(options, request.id, boxKeys, op)
  const keystore = await placeKeystore(dataDirectory, files, { replace: replaceKeystore })
  await confirmTaken(options, options, request, op)
  await placeRelease(dataDirectory, release, entries, op)
  return { files: entries.length, keystore }
}

const gateSchema = z.object({ geoserver: z.string() })

async function requireVersion({ release, version }: ProvisionOptions, op: Op): Promise<void> {
  if (version === undefined || !release.files.some(({ path }) => path === VERSIONS_FILE)) return
  const { geoserver } = gateSchema.parse(
    JSON.parse(Buffer.from(await release.read(VERSIONS_FILE, op)).toString('utf8')),
  )
  if (minorOf(geoserver) === minorOf(version)) return
  throw new FlotillaError(
    'PREPARE_FAILED',
    `the release comes from GeoServer ${geoserver}, and ${version} is to run here`,
    {
      hint: 'Install the same version. Nothing was changed.',
    },
  )
}

async function entriesOf(release: FileTree, op: Op): Promise<readonly CatalogEntry[]> {
  const { entries, problems } = await new ReleaseReader(new Overlay()).read(release, op)
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return [...entries.values()]
  throw new FlotillaError('PREPARE_FAILED', errors[0]?.message ?? '', { problems: errors })
}

async function given(options: ProvisionOptions, id: string, boxKeys: BoxKeys, op: Op): Promise<readonly SecretFile[]> {
  const { clock, waitMs, code, giver } = options
  const endMs = clock.monotonicMs() + waitMs
  for (;;) {
    const files = await openKeystore(options, options, { id, boxKeys, code }, op)
    if (files !== undefined) return files
    if (clock.monotonicMs() >= endMs) {
      throw new FlotillaError('NOT_READY', `${giver} has not given its keystore; nothing was changed`, {
        hint: 'On that node, type `flotilla catalog share-keystore`, or set `shareKeystore` for its target.',
      })
    }
    await clock.sleep(LOOK_MS, op.signal)
  }
}

/** The file by which a data directory is known comes last: a directory that is half there is none. */
async function placeRelease(
  dataDirectory: string,
  release: FileTree,
  entries: readonly CatalogEntry[],
  op: Op,
): Promise<void> {
  const root = await realpath(dataDirectory)
  const overlay = new Overlay()
  const place = async (entry: CatalogEntry): Promise<void> => {
    op.signal?.throwIfAborted()
    const file = onDisk(entry, await release.read(entry.path, op), { idOf: () => undefined, overlay })
    await placeFile(root, file.path, file.bytes, op)
  }
  await forEachLimited(
    entries.filter(({ path }) => path !== GLOBAL),
    AT_ONCE,
    place,
  )
  await forEachLimited(
    entries.filter(({ path }) => path === GLOBAL),
    1,
    place,
  )
}
