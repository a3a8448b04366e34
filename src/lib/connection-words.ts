import { messageOf } from '../core/errors.ts'

/** What a connection failed with. Of an address with several meanings, each of which failed, only the code says something. */
export function wordsOf(error: unknown): string {
  const message = messageOf(error)
  return message === '' ? ((error as NodeJS.ErrnoException).code ?? 'no connection') : message
}
