import { FlotillaError } from '../core/errors.ts'
import { isName } from '../core/keys.ts'
import { RELEASE_LIMITS } from '../core/release.ts'

/** Checks of what people and programs send along with a release. Each throws `BAD_REQUEST`. */

export function checkTree(tree: string): void {
  if (!isName(tree)) throw bad(`${JSON.stringify(tree.slice(0, 80))} is not the name of a tree`)
}

export function checkAuthor(author: string): string {
  if (author.trim() === '') throw bad('the author is empty')
  return checkText('author', author, RELEASE_LIMITS.author)
}

export function checkMessage(message: string): string {
  return checkText('message', message, RELEASE_LIMITS.message)
}

function checkText(what: string, text: string, limit: number): string {
  const trimmed = text.trim()
  if (trimmed.length > limit) throw bad(`the ${what} has ${trimmed.length} characters; at most ${limit}`)
  if (!trimmed.isWellFormed()) throw bad(`the ${what} is not valid Unicode`)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(trimmed)) {
    throw bad(`the ${what} holds a control character; it is one line of text`)
  }
  return trimmed
}

function bad(what: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', what)
}
