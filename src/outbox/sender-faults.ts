import { isError } from '../core/errors.ts'

/** What a child refuses to everybody, whatever is asked. */
const REFUSED = ['UNAUTHENTICATED', 'FORBIDDEN', 'FED_BY_ANOTHER', 'OUTDATED', 'LOOP', 'NOT_FOUND'] as const

export function isRefusal(error: unknown): boolean {
  return isError(error, ...REFUSED)
}

/** Nothing else would go better until something changes there, or between here and there. */
export function isAboutChild(error: unknown): boolean {
  return isRefusal(error) || isError(error, 'UNREACHABLE', 'NOT_READY', 'RATE_LIMITED', 'STORE_IN_USE')
}
