import { writeFile } from 'node:fs/promises'
import { FlotillaError } from '../core/errors.ts'

/** Writes a token that was just made to a new file that nobody else can read. */
export async function keepToken(
  path: string,
  { id, token }: { readonly id: string; readonly token: string },
): Promise<void> {
  try {
    await writeFile(path, `${token}\n`, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    throw new FlotillaError('USAGE', `the token could not be written to ${path}`, {
      cause,
      hint: `The token was made but nobody has it: end it with \`flotilla token revoke ${id}\`, then create one into a new file.`,
    })
  }
}
