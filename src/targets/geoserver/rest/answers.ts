import type { Answer } from './client.ts'
import { wordsOf } from './words.ts'

/**
 * What the answer to a change of one object means.
 *
 * - `absent`: there is no such object, or nothing that it would lie in.
 * - `duplicate`: it is there already. facts: 409 of workspaces, but 500 of feature types and coverages, with these words.
 * - `in-use`: it cannot be deleted while others refer to it, or lie in it. GeoServer has no words for that.
 * - `undecipherable`: encrypted with another keystore than this node's. facts: `crypt1:` of another one is answered 500.
 */
export type Meaning =
  | { readonly is: 'done' }
  | { readonly is: 'absent' | 'duplicate' | 'in-use' | 'undecipherable' | 'refused'; readonly words: string }

export function meaningOf(
  answer: Answer,
  asked: { readonly method: 'POST' | 'PUT' | 'DELETE' | 'GET'; readonly isEncrypted?: boolean },
): Meaning {
  const { status } = answer
  if (status >= 200 && status < 300) return { is: 'done' }
  const words = wordsOf(answer)
  if (status === 404) return { is: 'absent', words }
  if (status === 409 || /already exists/i.test(words)) return { is: 'duplicate', words }
  if (status === 403 && asked.method === 'DELETE') return { is: 'in-use', words }
  if (status >= 500 && asked.isEncrypted === true) return { is: 'undecipherable', words }
  return { is: 'refused', words: words === '' ? `answered ${status}` : `answered ${status}: ${words}` }
}
