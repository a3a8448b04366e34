import { isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource } from '../core/files/source.ts'

/** What a source has under that key just now. */
export async function entryOf(source: FileSource, key: string, signal: AbortSignal): Promise<FileEntry | undefined> {
  try {
    const enters = (folder: string): boolean => key.startsWith(folder)
    for await (const page of source.list({ prefixes: [key], enters, signal })) {
      const found = page.find((entry) => entry.key === key)
      if (found !== undefined) return found
    }
  } catch (error) {
    if (!isError(error, 'NOT_FOUND')) throw error
  }
  return undefined
}
