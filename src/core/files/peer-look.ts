import type { FileEntry } from './entry.ts'

/*
 * What people ask the file service of a node, below the same path and with the same credentials as what nodes ask each other:
 *
 * - `GET trees/<tree>/list?prefix=&after=&recursive=1`: JSON `PeerListing`.
 * - `GET trees/<tree>/why?key=`: JSON `FileWhy`.
 */

export interface PeerListing {
  /** What begins with the prefix and has a slash after it, with that slash; none in a recursive listing. */
  readonly folders: readonly string[]
  readonly files: readonly FileEntry[]
  /** Go on from here; absent where that is all. */
  readonly next?: string
}

/** Why a file is served, or is not. */
export interface FileWhy {
  /** What is served, where anything is. */
  readonly entry?: FileEntry | undefined
  /** What the folder of the tree shows. */
  readonly folder: FolderWhy
  /** Where the node pulls this tree from elsewhere. */
  readonly pull?: PullWhy | undefined
}

export interface FolderWhy {
  readonly state:
    | 'there'
    | 'absent'
    | 'hidden'
    | 'link'
    | 'being-written'
    | 'folder'
    | 'no-file'
    | 'in-the-way'
    | 'unreadable'
    | 'no-key'
  /** One sentence. */
  readonly message: string
}

export interface PullWhy {
  readonly state: 'in-step' | 'pulling' | 'failed'
  readonly from: string
  /** Whether the settings of the node want the file. */
  readonly wanted: 'wanted' | 'unwanted' | 'later' | 'not-covered'
  /** One sentence: which rule, or what stands in the way. */
  readonly message: string
}
