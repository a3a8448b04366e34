import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import type { Context } from './context.ts'

/** Option of commands that make a token. */
export const OUT = {
  out: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'write the token to a new file with mode 0600 instead of printing it',
    completes: 'file',
  },
} as const

interface TokenOptions {
  readonly out: string | undefined
  readonly json: boolean
}

interface Made {
  readonly id: string
  readonly token: string
}

/** Has a token made, and prints it or keeps it in a file. Rejects with `USAGE`, before one is made, when that file is there already. */
export async function giveToken<T extends Made>(
  make: () => Promise<T>,
  options: TokenOptions,
  context: Context,
): Promise<T> {
  const { output } = context
  const out = options.out === undefined ? undefined : resolve(context.cwd, options.out)
  if (out !== undefined && existsSync(out)) throw new FlotillaError('USAGE', `${out} is there already`)
  const answer = await make()
  const { token, ...info } = answer
  if (out !== undefined) await keepToken(out, answer)
  if (options.json) output.json('token', out === undefined ? answer : info)
  else output.print(out === undefined ? token : `token ${info.id} is in ${options.out}`)
  return answer
}

/** Writes a token that was just made to a new file that nobody else can read. */
async function keepToken(path: string, { id, token }: Made): Promise<void> {
  try {
    await writeFile(path, `${token}\n`, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    throw new FlotillaError('USAGE', `the token could not be written to ${path}`, {
      cause,
      hint: `The token was made but nobody has it: end it with \`flotilla token revoke ${id}\`, then create one into a new file.`,
    })
  }
}
