import type {
  ActiveRequest,
  DiffAnswer,
  HistoryAnswer,
  ItemsAnswer,
  ReleaseAnswer,
  ReleaseRequest,
  ReloadAnswer,
  ReloadRequest,
  RollbackRequest,
  WhyAnswer,
} from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import type { ReleaseRecord } from '../core/release.ts'
import type { Store } from '../core/store.ts'
import type { TreeFile, TreeKind } from '../core/tree.ts'
import type { BlobStore, Swept } from './blobs.ts'

export interface ReleasesOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly kinds: readonly TreeKind[]
  readonly clock: Clock
  /** Share of the items that one release may remove without a confirmation. Default 0.1. */
  readonly guardShare?: number | undefined
}

/** Single files put into, or taken out of, the current release; their blobs are held already. */
export interface FilesChange {
  readonly put?: readonly TreeFile[] | undefined
  readonly delete?: readonly string[] | undefined
  /** Needed for the first release of a tree. */
  readonly kind?: string | undefined
  readonly quarantine?: boolean | undefined
  readonly confirmRemoval?: boolean | undefined
  readonly dryRun?: boolean | undefined
}

/** Makes, compares and takes back releases. Any number of them may work on one store: each release is one commit. */
export class Releases {
  constructor(_options: ReleasesOptions) {
    throw new Error('not built yet')
  }

  /**
   * Rejects with `BAD_REQUEST`, `BLOBS_MISSING`, `CHECK_FAILED` (with problems), `GUARD` or `LOST_RACE`; then nothing
   * was changed.
   */
  release(_tree: string, _request: ReleaseRequest, _author: string, _op?: Op): Promise<ReleaseAnswer> {
    throw new Error('not built yet')
  }

  /** Without `base` it is applied to whatever is current. */
  putFiles(
    _tree: string,
    _change: FilesChange,
    _message: string,
    _author: string,
    _base?: number,
    _op?: Op,
  ): Promise<ReleaseAnswer> {
    throw new Error('not built yet')
  }

  rollback(_tree: string, _request: RollbackRequest, _author: string, _op?: Op): Promise<ReleaseAnswer> {
    throw new Error('not built yet')
  }

  setActive(
    _tree: string,
    _dataset: string,
    _request: ActiveRequest,
    _author: string,
    _op?: Op,
  ): Promise<ReleaseAnswer> {
    throw new Error('not built yet')
  }

  /** Undefined before the first release. */
  current(_tree: string, _op?: Op): Promise<ReleaseRecord | undefined> {
    throw new Error('not built yet')
  }

  /** Rejects with `NOT_FOUND`, as all that follow do. */
  get(_tree: string, _number: number, _op?: Op): Promise<ReleaseRecord> {
    throw new Error('not built yet')
  }

  history(_tree: string, _limit: number, _op?: Op): Promise<HistoryAnswer> {
    throw new Error('not built yet')
  }

  /** Release 0 is the empty tree. */
  diff(_tree: string, _from: number, _to: number, _op?: Op): Promise<DiffAnswer> {
    throw new Error('not built yet')
  }

  items(_tree: string, _number?: number, _op?: Op): Promise<ItemsAnswer> {
    throw new Error('not built yet')
  }

  changesOf(_tree: string, _dataset: string, _op?: Op): Promise<WhyAnswer['history']> {
    throw new Error('not built yet')
  }

  request(_tree: string, _request: ReloadRequest, _author: string, _op?: Op): Promise<ReloadAnswer> {
    throw new Error('not built yet')
  }

  /** Removes the blobs that none of the last 50 releases of any tree needs and that are older than an hour. */
  sweep(_op?: Op): Promise<Swept> {
    throw new Error('not built yet')
  }
}
