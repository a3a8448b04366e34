import { FlotillaError, isError } from '../core/errors.ts'

/** What a child refuses to everybody, whatever is asked. */
const REFUSED = ['UNAUTHENTICATED', 'FORBIDDEN', 'FED_BY_ANOTHER', 'OUTDATED', 'LOOP', 'NOT_FOUND'] as const

export function isRefusal(error: unknown): boolean {
  return isError(error, ...REFUSED)
}

/** Nothing else would go better until something changes there, or between here and there. */
export function isAboutChild(error: unknown): boolean {
  return isRefusal(error) || isError(error, 'UNREACHABLE', 'NOT_READY', 'RATE_LIMITED', 'STORE_IN_USE')
}

/** Of a root from which another took over: its children are fed by that one, which they refuse as long as they hear of this one. */
export class HeldBack extends FlotillaError {
  constructor(by: string) {
    super('OUTDATED', `${by} took this tree over, and nothing goes on from here`, {
      hint: 'Start this node as a child of who took over.',
    })
  }
}
