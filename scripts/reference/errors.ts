import { ERRORS } from '../../src/core/errors.ts'
import { PROBLEMS } from '../../src/core/problem.ts'
import { page, tableOf } from './page.ts'

/** docs/reference/errors.md, from the tables of errors and problems. */
export function errorsPage(): string {
  const errors = Object.entries(ERRORS).map(([code, { http, exit, retry, meaning }]) => [
    anchored(code),
    meaning,
    String(exit),
    String(http),
    retry ? 'yes' : 'no',
  ])
  const problems = Object.entries(PROBLEMS).map(([code, meaning]) => [anchored(code), meaning])
  return page(
    'Errors',
    'A code never changes its meaning. Every error names what happened, where, why, and what to do next.',
    '## Errors of commands and of the API',
    '*Retry* says whether the same call may succeed later without anybody changing anything.',
    tableOf(['code', 'meaning', 'exit code', 'HTTP status', 'retry'], errors),
    '## Findings of checks',
    'A finding is an error, which refuses a release, or a warning, which does not. It names file, line and column.',
    tableOf(['code', 'meaning'], problems),
  )
}

function anchored(code: string): string {
  return `<a id="${code}"></a>\`${code}\``
}
