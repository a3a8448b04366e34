import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import { compareKeys } from '../../core/files/entry.ts'
import type { PutResult } from '../../core/files/tree-files.ts'
import type {
  CompleteOptions,
  PartOptions,
  TreeUploads,
  Upload,
  UploadOptions,
  UploadPart,
  UploadsPage,
} from '../../core/files/tree-uploads.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { explained, isAbsent } from './faults.ts'
import { KeyLocks } from '../../lib/key-locks.ts'
import { completeUpload } from './upload-completion.ts'
import { dropPart, receivePart } from './upload-part.ts'
import type { FolderFiles } from './tree-files.ts'
import { UploadState } from './upload-state.ts'
import { isKeepable, type StoredPart, uploadFolder, UploadStore, WHOLE } from './upload-store.ts'

const ID = /^[A-Za-z0-9_-]{1,128}$/
const UPLOADS_MAX = 10_000
/** States of uploads that are kept in memory while nobody works on them. */
const STATES_MAX = 32
const ABANDONED_MS = 7 * 24 * 3_600_000
const SWEEP_EVERY_MS = 3_600_000

/** Uploads in parts into the tree of `files`; nobody else may have them open. Those that are abandoned are swept now and then. */
export async function openTreeUploads(
  files: FolderFiles,
  options: { readonly clock: Clock; readonly log: Logger },
): Promise<FolderUploads> {
  const uploads = new FolderUploads(files, options.clock, options.log)
  await uploads.load()
  return uploads
}

export class FolderUploads implements TreeUploads {
  readonly #files: FolderFiles
  readonly #clock: Clock
  readonly #log: Logger
  readonly #store: UploadStore
  readonly #uploads = new Map<string, Upload>()
  readonly #states = new Map<string, Held>()
  readonly #locks = new KeyLocks()
  #sweptMs = 0

  constructor(files: FolderFiles, clock: Clock, log: Logger) {
    this.#files = files
    this.#clock = clock
    this.#log = log
    this.#store = new UploadStore(files.tree)
  }

  async load(): Promise<void> {
    for (const folder of await this.#store.folders()) {
      const upload = await this.#store.read(folder)
      if (upload !== undefined && folder === uploadFolder(upload.key, upload.id)) this.#uploads.set(folder, upload)
      // Begun, finished or aborted when we were stopped.
      else await this.#store.remove(folder)
    }
    await this.sweep()
    await this.#store.tidy()
  }

  async create(
    key: string,
    { id = randomBytes(24).toString('base64url'), facts, modifiedMs }: UploadOptions & Op,
  ): Promise<string> {
    keyPath(key)
    if (!ID.test(id) || !isKeepable(facts))
      throw new FlotillaError('BAD_REQUEST', 'the id or the headers of the upload are not of a form that is kept')
    if (this.#clock.nowMs() - this.#sweptMs > SWEEP_EVERY_MS) await this.sweep()
    const folder = uploadFolder(key, id)
    return this.#locks.with(folder, async () => {
      if (this.#uploads.has(folder)) return id
      if (this.#uploads.size >= UPLOADS_MAX) {
        throw new FlotillaError('TOO_LARGE', `${UPLOADS_MAX} uploads are under way`, {
          hint: 'Complete or abort some.',
        })
      }
      const upload = { key, id, startedMs: this.#clock.nowMs(), facts, modifiedMs }
      try {
        await this.#store.create(folder, upload)
      } catch (error) {
        throw explained(error, key)
      }
      this.#uploads.set(folder, upload)
      return id
    })
  }

  async find(key: string, id: string): Promise<Upload | undefined> {
    return this.#uploads.get(uploadFolder(key, id))
  }

  async list({ prefix, afterKey, afterId, limit }: UploadsPage): Promise<readonly Upload[]> {
    return [...this.#uploads.values()]
      .filter((upload) => upload.key.startsWith(prefix) && compareUploads(upload, { key: afterKey, id: afterId }) > 0)
      .toSorted(compareUploads)
      .slice(0, limit)
  }

  async putPart(
    key: string,
    id: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    options: PartOptions & Op,
  ): Promise<UploadPart> {
    if (!Number.isInteger(number) || number < 1 || number > 10_000)
      throw new FlotillaError('BAD_REQUEST', `${number} is no number of a part`)
    return this.#within(key, id, async (state, path) => {
      const position = state.enter(number, options.size)
      const name = position === undefined ? `part-${number}-${randomBytes(6).toString('hex')}` : WHOLE
      let isStored = false
      try {
        const place = { path: `${path}/${name}`, position, number }
        const part = await receivePart(place, body, options, this.#files.tree.calls, this.#clock)
        await this.#locks.with(uploadFolder(key, id), async () => this.#stored(state, path, part))
        isStored = true
        const { md5: _md5, at: _at, ...answer } = part
        return answer
      } finally {
        state.left(number)
        if (!isStored) await this.#dropped(state, `${path}/${name}`)
      }
    })
  }

  async parts(
    key: string,
    id: string,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<readonly UploadPart[] | undefined> {
    if ((await this.find(key, id)) === undefined) return undefined
    return this.#within(key, id, async (state) =>
      state
        .all()
        .filter(({ number }) => number > after)
        .slice(0, limit)
        .map(({ md5: _md5, at: _at, ...part }) => part),
    )
  }

  async complete(key: string, id: string, options: CompleteOptions & Op): Promise<PutResult> {
    return this.#within(key, id, async (state, path) =>
      this.#locks.with(uploadFolder(key, id), async () => {
        if (state.isGone) throw notFound(key, id)
        const parts = options.parts.map(({ number, etag }) => {
          const part = state.get(number)
          if (part?.etag === etag) return part
          throw new FlotillaError('CHANGED', `part ${number} of the upload of ${key} is not there, or is another`, {
            hint: 'List the parts, and send what is missing again.',
          })
        })
        if (parts.length === 0) throw new FlotillaError('BAD_REQUEST', `the upload of ${key} has no parts`)
        const modifiedMs = options.modifiedMs ?? (await this.find(key, id))?.modifiedMs ?? this.#clock.nowMs()
        const result = await completeUpload(this.#files, key, { state, path, parts }, { ...options, modifiedMs })
        if (result !== 'failed-condition') await this.#remove(key, id, state)
        return result
      }),
    )
  }

  async abort(key: string, id: string): Promise<boolean> {
    if ((await this.find(key, id)) === undefined) return false
    try {
      await this.#within(key, id, async (state) =>
        this.#locks.with(uploadFolder(key, id), async () => {
          if (state.isGone) throw notFound(key, id)
          await this.#remove(key, id, state)
        }),
      )
      return true
    } catch (error) {
      if (error instanceof FlotillaError && error.code === 'NOT_FOUND') return false
      throw error
    }
  }

  /** Removes uploads that nothing was done to for a week. */
  async sweep(): Promise<void> {
    this.#sweptMs = this.#clock.nowMs()
    for (const [folder, { key, id }] of this.#uploads) {
      try {
        const isBusy = (this.#states.get(folder)?.busy ?? 0) > 0
        if (isBusy || this.#sweptMs - (await this.#store.touchedMs(folder)) < ABANDONED_MS) continue
        if (await this.abort(key, id)) this.#log.info('removed an upload that was abandoned', { key })
      } catch (error) {
        this.#log.warn('cannot look for abandoned uploads', { key, error })
      }
    }
  }

  /** Runs `work` on an upload and its folder. Rejects with `NOT_FOUND` where there is none, or no longer one. */
  async #within<T>(key: string, id: string, work: (state: UploadState, path: string) => Promise<T>): Promise<T> {
    const folder = uploadFolder(key, id)
    if (!this.#uploads.has(folder)) throw notFound(key, id)
    try {
      return await this.#store.within(folder, async (path) => {
        const held = this.#held(folder, path)
        held.busy++
        try {
          return await work(await held.state, path)
        } finally {
          held.busy--
        }
      })
    } catch (error) {
      if (isAbsent(error) && !this.#uploads.has(folder)) throw notFound(key, id)
      throw explained(error, key)
    }
  }

  #held(folder: string, path: string): Held {
    const held = this.#states.get(folder) ?? {
      busy: 0,
      state: this.#store.parts(path).then((parts) => new UploadState(parts)),
    }
    this.#states.delete(folder)
    this.#states.set(folder, held)
    for (const [oldest, { busy }] of this.#states) {
      if (this.#states.size <= STATES_MAX) break
      if (busy === 0 && oldest !== folder) this.#states.delete(oldest)
    }
    return held
  }

  async #stored(state: UploadState, path: string, part: StoredPart): Promise<void> {
    if (state.isGone) throw new FlotillaError('NOT_FOUND', 'the upload was completed or aborted meanwhile')
    await this.#store.addPart(path, part)
    const old = state.set(part)
    if (typeof old?.at === 'string') await this.#files.tree.calls.unlink(`${path}/${old.at}`)
  }

  /** Of a part that was not taken. */
  async #dropped(state: UploadState, path: string): Promise<void> {
    try {
      await dropPart(state, path, this.#files.tree.calls)
    } catch (error) {
      if (!isAbsent(error)) this.#log.warn('cannot remove what is left of a part', { error })
    }
  }

  async #remove(key: string, id: string, state: UploadState): Promise<void> {
    const folder = uploadFolder(key, id)
    state.isGone = true
    this.#uploads.delete(folder)
    this.#states.delete(folder)
    try {
      await this.#store.remove(folder)
    } catch (error) {
      this.#log.warn('cannot remove the parts of an upload that has ended', { key, error })
    }
  }
}

interface Held {
  readonly state: Promise<UploadState>
  /** Who works on it. */
  busy: number
}

function compareUploads(a: Pick<Upload, 'key' | 'id'>, b: Pick<Upload, 'key' | 'id'>): number {
  return compareKeys(a.key, b.key) || compareKeys(a.id, b.id)
}

function notFound(key: string, id: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `there is no upload ${id.slice(0, 128)} of ${key}`, {
    hint: 'It was completed or aborted, or nothing was done to it for a week.',
  })
}
