import type { Conflict } from '../core/conflict.ts'
import { ERRORS, type ExitCode, FlotillaError, messageOf } from '../core/errors.ts'
import { placeOf, type Problem } from '../core/problem.ts'
import { clean, cleanLine } from '../lib/clean.ts'
import type { Output } from './output.ts'

interface Form {
  readonly json: boolean
  readonly debug: boolean
}

/** Prints an error on the error output, in the one form all commands share, and answers the exit code. */
export function renderError(error: unknown, output: Output, form: Form): ExitCode {
  if (!(error instanceof FlotillaError)) return renderUnknown(error, output, form)
  if (form.json) output.note(JSON.stringify({ kind: 'error', ...errorFields(error) }))
  else output.note(humanError(error, output))
  if (form.debug) output.note(stackOf(error))
  return ERRORS[error.code].exit
}

function errorFields(error: FlotillaError): object {
  const { node, file, line, column, hint, problems, conflict } = error.details
  const place = { node, file, line, column }
  return { code: error.code, message: error.message, ...place, hint, problems, conflict, page: pageOf(error.code) }
}

function humanError(error: FlotillaError, output: Output): string {
  const { details } = error
  const lines = problemLines(details.problems ?? [], output)
  lines.push(`${output.paint('red', 'error:')} ${clean(error.message)}`)
  const where = [details.node, details.file === undefined ? undefined : placeOf({ ...details, file: details.file })]
  const place = where.filter((part) => part !== undefined).join(', ')
  if (place !== '' && !error.message.includes(place)) lines.push(`  at ${clean(place)}`)
  const cause = details.cause instanceof Error ? details.cause.message : undefined
  if (cause !== undefined && cause !== '' && !error.message.includes(cause)) lines.push(`  why: ${clean(cause)}`)
  if (details.conflict !== undefined) lines.push(...nowLines(details.conflict))
  if (details.hint !== undefined) lines.push(`  → ${clean(details.hint)}`)
  lines.push(output.paint('dim', `  ${pageOf(error.code)}`))
  return lines.join('\n')
}

const NOW_CHARS = 2000

/** What whoever lost a race finds now. */
function nowLines({ actual, revision, pointer }: Conflict): readonly string[] {
  if (revision === 0) return []
  const value =
    actual === undefined
      ? []
      : [`  now: ${clean(pointer || 'it')} is ${clean(JSON.stringify(actual).slice(0, NOW_CHARS))}`]
  return [...value, `  revision: ${revision}`]
}

/** Findings of a check, each `b.xml:3:12: error: … [ID_DUPLICATE]`; advice that is the same for several in a row once. */
export function problemLines(problems: readonly Problem[], output: Output): string[] {
  return problems.map((problem, index) => {
    const { hint } = problem
    const line = problemLine(problem, output)
    return hint === undefined || hint === problems[index + 1]?.hint ? line : `${line}\n    → ${clean(hint)}`
  })
}

function problemLine(problem: Problem, output: Output): string {
  const word = output.paint(problem.severity === 'error' ? 'red' : 'yellow', problem.severity)
  return `${cleanLine(placeOf(problem))}: ${word}: ${clean(problem.message)} [${problem.code}]`
}

/** What the file system refused, in words; anything else is a fault of the program: one line, and how to see more. */
function renderUnknown(error: unknown, output: Output, form: Form): ExitCode {
  const refused = refusalOf(error)
  const message = refused?.message ?? messageOf(error)
  const hint = refused?.hint ?? 'This was not expected. Run it again with --debug to see where it comes from.'
  if (form.json)
    output.note(JSON.stringify({ kind: 'error', code: 'INTERNAL', message, hint, page: pageOf('INTERNAL') }))
  else {
    output.note(`${output.paint('red', 'error:')} ${clean(message.split('\n')[0] ?? '')}`)
    if (!form.debug) output.note(`  → ${hint}`)
  }
  if (form.debug) output.note(stackOf(error))
  return ERRORS.INTERNAL.exit
}

const RIGHTS = 'Look at the owner and the mode of the file and of the folders above it.'

const REFUSALS: Readonly<Record<string, readonly [string, string]>> = {
  EACCES: ['permission denied', RIGHTS],
  EPERM: ['not permitted', RIGHTS],
  EROFS: ['the file system is read-only', 'Choose another place, or mount it for writing.'],
  ENOENT: ['there is no such file or folder', 'Check the path; folders above a new file must exist.'],
  ENOTDIR: ['a part of the path is no folder', 'Check the path.'],
  EISDIR: ['is a folder', 'Name a file.'],
  ENOSPC: ['no space is left', 'Make room there, or choose another place.'],
  EEXIST: ['is there already', 'Choose another name.'],
}

function refusalOf(error: unknown): { readonly message: string; readonly hint: string } | undefined {
  const { code = '', path } = error as NodeJS.ErrnoException
  const [words, hint] = REFUSALS[code] ?? []
  return words === undefined || hint === undefined || path === undefined
    ? undefined
    : { message: `${path}: ${words}`, hint }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ''
  return `${error.stack ?? error.message}${cause}`
}

function pageOf(code: string): string {
  return `docs/reference/errors.md#${code}`
}
