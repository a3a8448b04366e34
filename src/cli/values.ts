import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { FlotillaError, isError } from '../core/errors.ts'
import type { Problem } from '../core/problem.ts'
import type { Context } from './context.ts'

/** Options that say what `${node.NAME}` stands for. */
export const VALUES = {
  value: { type: 'list', placeholder: 'NAME=VALUE', summary: 'what ${node.NAME} stands for' },
  values: { type: 'value', placeholder: 'FILE', summary: 'a YAML file of such names and values', completes: 'file' },
} as const

interface ValueOptions {
  readonly value: readonly string[]
  readonly values: string | undefined
}

/** By name; `--value` wins over the file. */
export async function readValues(options: ValueOptions, { cwd }: Context): Promise<ReadonlyMap<string, string>> {
  const values = new Map(options.values === undefined ? [] : await fromFile(resolve(cwd, options.values)))
  for (const pair of options.value) {
    const [, name, value] = /^([A-Za-z][\w.-]*)=(.*)$/s.exec(pair) ?? []
    if (name === undefined || value === undefined) {
      throw new FlotillaError('USAGE', `--value takes NAME=VALUE, not "${pair}"`, {
        hint: 'For example --value data=/mnt/data',
      })
    }
    values.set(name, value)
  }
  return values
}

/** On this machine values come from the command line: says so where one is missing. */
export async function withValues<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    if (!isError(error, 'PREPARE_FAILED')) throw error
    const hint = 'Say what it stands for here: --value NAME=VALUE, or --values FILE.'
    const { problems = [] } = error.details
    if (!problems.some(({ code }) => code === 'NODE_VALUE_UNKNOWN')) throw error
    throw new FlotillaError(error.code, error.message, { ...error.details, problems: problems.map(withoutHint), hint })
  }
}

function withoutHint({ hint: _hint, ...problem }: Problem): Problem {
  return problem
}

async function fromFile(file: string): Promise<[string, string][]> {
  const { parseConfigDocument } = await import('../config/document.ts')
  const document = parseConfigDocument(file, await readFile(file, 'utf8'))
  return Object.entries(document.data).map(([name, value]) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return [name, String(value)]
    const hint = 'Write one name and its value a line, as in "data: /mnt/data".'
    throw new FlotillaError('CONFIG_INVALID', `"${name}" has no plain value`, {
      file,
      ...document.placeOf([name]),
      hint,
    })
  })
}
