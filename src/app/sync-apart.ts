import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { isInside } from '../lib/open-inside.ts'

/**
 * Throws `USAGE` where one folder is the other, or lies in it: what is brought over would be found at the source the next time, and what
 * is deleted could be the source itself. Links are followed first.
 */
export async function refuseNested(from: string, to: string): Promise<void> {
  const [source, target] = [await realOf(from), await realOf(to)]
  const how =
    source === target
      ? 'are one folder'
      : isInside(source, target) || isInside(target, source)
        ? 'lie in each other'
        : undefined
  if (how === undefined) return
  throw new FlotillaError('USAGE', `${from} and ${to} ${how}`, {
    hint: 'Keep the copy in a folder of its own, beside the source.',
  })
}

/** Without links, as far as it is there. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const above = dirname(path)
    return above === path ? path : join(await realOf(above), basename(path))
  }
}
