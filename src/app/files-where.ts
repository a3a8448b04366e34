import type { NodeAnswer } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { Op } from '../core/op.ts'
import type { Secret } from '../lib/secret.ts'
import { withDeadline } from '../lib/waiting.ts'
import { lookAt } from './files-look.ts'

/** What one node has under a name. */
export interface Copy {
  readonly node: string
  /** `same` as most others have, or as the newest one where no two have the same. */
  readonly state: 'same' | 'other' | 'absent' | 'unknown'
  readonly entry?: FileEntry
  /** Why it is not there, or is not known. */
  readonly message?: string
}

interface Question {
  readonly nodes: readonly NodeAnswer[]
  readonly tree: string
  readonly key: string
  readonly apikey: Secret | undefined
  readonly clock: Clock
}

const ANSWER_MS = 5000

/** Asks every node that serves the tree, all at once; by name. */
export async function copiesOf(question: Question, op: Op): Promise<readonly Copy[]> {
  const { nodes, tree } = question
  const found = await Promise.all(
    nodes
      // Under its lease only one that lives says it; before that was told apart, what it pulled.
      .filter(({ alive, served, files }) =>
        (alive?.filesTrees ?? served?.trees ?? Object.keys(files ?? {})).includes(tree),
      )
      .map(async (node) => await copyOf(node, question, op)),
  )
  const reference = referenceOf(found.flatMap(({ entry }) => entry ?? []))
  return found.map((copy) => {
    const isOther = copy.entry !== undefined && reference !== undefined && !isSame(copy.entry, reference)
    return isOther ? Object.assign({}, copy, { state: 'other' as const }) : copy
  })
}

async function copyOf({ node, liveness, alive }: NodeAnswer, question: Question, { signal }: Op): Promise<Copy> {
  const { tree, key, apikey, clock } = question
  if (liveness === 'lost') return { node, state: 'unknown', message: 'the node is lost' }
  if (alive?.filesUrl === undefined)
    return { node, state: 'unknown', message: 'it does not say where its file service is' }
  const look = lookAt({ server: alive.filesUrl, key: apikey }, clock)
  try {
    return await withDeadline(clock, ANSWER_MS, async (late) => {
      const op = { signal: signal === undefined ? late : AbortSignal.any([late, signal]) }
      const found = await look.stat(tree, key, op)
      if (found !== undefined) return { node, state: 'same', entry: found.entry }
      const { folder, pull } = await look.why(tree, key, op)
      return { node, state: 'absent', message: pull?.message ?? folder.message }
    })
  } catch (error) {
    const isKeyless = apikey === undefined && isError(error, 'UNAUTHENTICATED')
    return { node, state: 'unknown', message: isKeyless ? 'it wants a key: --apikey-file FILE' : messageOf(error) }
  } finally {
    await look.close()
  }
}

/** What most have; of several that as many have, the newest. */
function referenceOf(entries: readonly FileEntry[]): FileEntry | undefined {
  const votes = (entry: FileEntry): number => entries.filter((one) => isSame(one, entry)).length
  const [first] = entries.toSorted((a, b) => votes(b) - votes(a) || b.modifiedMs - a.modifiedMs)
  return first
}

/** By hashes where both have one; ETags of two nodes may differ for one content. */
function isSame(a: FileEntry, b: FileEntry): boolean {
  if (a.size !== b.size) return false
  if (a.sha256 !== undefined && b.sha256 !== undefined) return a.sha256 === b.sha256
  return a.etag === b.etag || Math.floor(a.modifiedMs / 1000) === Math.floor(b.modifiedMs / 1000)
}
