import type { ChangedLines } from '../app/catalog-compare.ts'
import { FlotillaError } from '../core/errors.ts'
import { clean } from '../lib/clean.ts'
import { didYouMean } from '../lib/closest.ts'
import type { Context } from './context.ts'
import { plural } from './format.ts'

/** One object or file, and how it differs. */
export interface Told extends ChangedLines {
  readonly key: string
  readonly path: string
  readonly what: string
  readonly details: readonly string[]
}

export interface TellOptions {
  readonly key: readonly string[]
  readonly json: boolean
}

/** Those that are asked for. Throws `NOT_FOUND`. */
export function chosen<T>(all: readonly T[], keys: readonly string[], keyOf: (one: T) => string): readonly T[] {
  const known = all.map(keyOf)
  const lacking = keys.find((key) => !known.includes(key))
  if (lacking !== undefined) {
    throw new FlotillaError('NOT_FOUND', `${JSON.stringify(lacking.slice(0, 200))} does not differ`, {
      hint: didYouMean(lacking, known) ?? 'Without --key everything that differs is listed.',
    })
  }
  return keys.length === 0 ? all : all.filter((one) => keys.includes(keyOf(one)))
}

export function tell(
  names: { readonly from: string; readonly to: string },
  told: readonly Told[],
  { json }: TellOptions,
  { output }: Context,
): void {
  if (json) {
    output.json('diff', { ...names, changes: told })
    return
  }
  const count = told.length === 0 ? 'nothing differs' : plural(told.length, 'object or file', 'objects and files')
  output.print(clean(`${names.from} → ${names.to}: ${count}`))
  for (const { key, what, details, lines, note } of told) {
    output.print(`\n${output.paint('bold', clean(key))}  ${what}`)
    const more = note ?? details.join('; ')
    if (lines === undefined && more !== '') output.print(clean(`  ${more}`))
    for (const line of lines ?? []) {
      const colour = line.startsWith('-') ? 'red' : line.startsWith('+') ? 'green' : 'dim'
      output.print(`  ${output.paint(colour, clean(line))}`)
    }
  }
}
