import type { z } from 'zod'
import { FlotillaError } from '../core/errors.ts'
import { didYouMean } from '../lib/closest.ts'
import { type Setting, settingsOf } from './describe.ts'
import type { Place } from './document.ts'
import { flagName, getAt, type Merged, merge, type Sources } from './layers.ts'

/** One thing that is wrong, at the file's place, the variable or the flag it came from. */
export interface ConfigIssue extends Partial<Place> {
  readonly message: string
  readonly hint?: string | undefined
  readonly file?: string
}

export type Checked<T> = { readonly config: T } | { readonly issues: readonly ConfigIssue[] }

/** Reads, checks and freezes a configuration. Throws `CONFIG_INVALID` with the first thing that is wrong. */
export function loadConfig<S extends z.ZodType>(schema: S, sources: Sources): z.output<S> {
  const checked = checkConfig(schema, sources)
  if ('config' in checked) return checked.config
  const { issues } = checked
  const [{ message, ...place } = { message: 'not valid' }] = issues
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more; flotilla config check shows all)` : ''
  throw new FlotillaError('CONFIG_INVALID', `${message}${more}`, place)
}

export function checkConfig<S extends z.ZodType>(schema: S, sources: Sources): Checked<z.output<S>> {
  const settings = settingsOf(schema)
  const merged = merge(settings, sources)
  const result = schema.safeParse(merged.data)
  if (result.success) return { config: deepFreeze(result.data) }
  const issues = result.error.issues.flatMap((issue) => explain(issue, settings, merged, sources))
  return { issues: issues.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)) }
}

type Issue = z.core.$ZodIssue

function explain(issue: Issue, settings: readonly Setting[], merged: Merged, sources: Sources): ConfigIssue[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const message = `there is no setting "${[...path, key].join('.')}"`
      return { message, hint: didYouMean(key, namesAt(settings, path)), ...placeOf([...path, key], sources) }
    })
  }
  const dotted = path.join('.')
  const origin = merged.origins.get(dotted)
  if (origin !== undefined) return [{ message: `${origin} ${wordsOf(issue)}`, hint: summaryOf(settings, path) }]
  if (getAt(merged.data, path) === undefined) {
    const message = `the setting "${dotted}" is missing`
    return [{ message, hint: summaryOf(settings, path) ?? `Or give --${flagName(dotted)}.`, ...placeOf(path, sources) }]
  }
  return [{ message: `"${dotted}" ${wordsOf(issue)}`, hint: summaryOf(settings, path), ...placeOf(path, sources) }]
}

function wordsOf(issue: Issue): string {
  if (issue.code === 'invalid_value') return `takes ${issue.values.map(String).join(', ')}`
  if (issue.code === 'invalid_union' && 'options' in issue)
    return `takes ${[issue.options].flat().map(String).join(', ')}`
  if (issue.code === 'invalid_type' && issue.expected === 'array') return 'takes a list, such as [a, b]'
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  return issue.message.startsWith('takes ') ? issue.message : `is not valid: ${issue.message}`
}

function placeOf(path: readonly string[], { document }: Sources): Partial<ConfigIssue> {
  return document === undefined ? {} : { file: document.file, ...document.placeOf(path) }
}

function namesAt(settings: readonly Setting[], path: readonly string[]): string[] {
  const below = settings.filter((setting) => path.every((part, index) => matches(setting.path[index], part)))
  return below.flatMap((setting) => setting.path[path.length] ?? []).filter((name) => name !== '*')
}

function summaryOf(settings: readonly Setting[], path: readonly string[]): string | undefined {
  const setting = settings.find(
    (one) => one.path.length === path.length && one.path.every((part, index) => matches(part, path[index])),
  )
  return setting === undefined || setting.summary === '' ? undefined : `It is: ${setting.summary.replace(/\.$/, '')}.`
}

function matches(pattern: string | undefined, part: string | undefined): boolean {
  return pattern === '*' || pattern === part
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child)
    Object.freeze(value)
  }
  return value
}
