import type { Growing } from '../core/files/growing.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type {
  OpenedFile,
  PutOptions,
  PutResult,
  RemoveOptions,
  TreeFiles,
  WantedFile,
} from '../core/files/tree-files.ts'
import type {
  CompleteOptions,
  PartOptions,
  TreeUploads,
  Upload,
  UploadOptions,
  UploadPart,
  UploadsPage,
} from '../core/files/tree-uploads.ts'
import type { Op } from '../core/op.ts'
import type { PutOperation } from '../core/push/operation.ts'
import { pushedPut } from './pushed-put.ts'
import { isConditional, type PushedTurns } from './pushed-turns.ts'

export interface PushedOptions {
  readonly turns: PushedTurns
  /**
   * A body is coming in that is long enough to be read behind the writer, by whoever takes it and releases it. `outcome` never
   * rejects; undefined: nothing came of it.
   */
  readonly onGrowing: (growing: Growing, outcome: Promise<PutOperation | undefined>) => void
}

/**
 * The files of a root: what is put and removed gets its version while it takes its place, and is in the ledger before it is
 * acknowledged. SHA-256 is always computed; MD5 unless `digests` says otherwise. A removal of what is not here is an operation too, as
 * children may have it.
 */
export class PushedFiles implements TreeFiles {
  readonly #files: TreeFiles
  readonly #options: PushedOptions

  constructor(files: TreeFiles, options: PushedOptions) {
    this.#files = files
    this.#options = options
  }

  async open(key: string, op?: Op): Promise<OpenedFile | undefined> {
    return this.#files.open(key, op)
  }

  async gather(wanted: readonly WantedFile[]): Promise<readonly (FileEntry | undefined)[]> {
    return this.#files.gather(wanted)
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<PutResult> {
    const { turns, onGrowing } = this.#options
    return pushedPut(turns, key, options, async (given, outcome) =>
      this.#files.put(key, body, { ...given, follow: (growing) => onGrowing(growing, outcome) }),
    )
  }

  async remove(key: string, options: RemoveOptions & Op = {}): Promise<'removed' | 'absent' | 'failed-condition'> {
    const pushed = { turn: options.turn, isRemoval: true, isConditional: isConditional(options) }
    return this.#options.turns.with(key, pushed, async (turn) => this.#files.remove(key, { ...options, turn }))
  }
}

/** The uploads of a root: one that is completed is an operation like a put. */
export class PushedUploads implements TreeUploads {
  readonly #uploads: TreeUploads
  readonly #turns: PushedTurns

  constructor(uploads: TreeUploads, turns: PushedTurns) {
    this.#uploads = uploads
    this.#turns = turns
  }

  async complete(key: string, id: string, options: CompleteOptions & Op): Promise<PutResult> {
    const { turn: given, facts } = options
    const pushed = { turn: given, headers: () => facts.headers, isConditional: isConditional(options) }
    return this.#turns.with(key, pushed, async (turn) => this.#uploads.complete(key, id, { ...options, turn }))
  }

  async create(key: string, options: UploadOptions & Op): Promise<string> {
    return this.#uploads.create(key, options)
  }

  async find(key: string, id: string): Promise<Upload | undefined> {
    return this.#uploads.find(key, id)
  }

  async list(options: UploadsPage & Op): Promise<readonly Upload[]> {
    return this.#uploads.list(options)
  }

  async putPart(
    key: string,
    id: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    options: PartOptions & Op,
  ): Promise<UploadPart> {
    return this.#uploads.putPart(key, id, number, body, options)
  }

  async parts(
    key: string,
    id: string,
    options: { readonly after: number; readonly limit: number },
  ): Promise<readonly UploadPart[] | undefined> {
    return this.#uploads.parts(key, id, options)
  }

  async abort(key: string, id: string): Promise<boolean> {
    return this.#uploads.abort(key, id)
  }
}
