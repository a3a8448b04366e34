import { readdir, readlink } from 'node:fs/promises'

/**
 * Which of these folders (absolute, without links) some process has open, or anything in them, or works in. As far as the system lets
 * us look: at our own processes, at all as root. Files that are open stay readable anyway once they are removed; those who
 * go on from an opened folder would miss the rest.
 */
export async function openFolders(folders: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  if (process.platform !== 'linux' || folders.length === 0) return found
  const processes = await readdir('/proc').catch(() => [])
  for (const id of processes) {
    if (!/^\d+$/.test(id)) continue
    const descriptors = await readdir(`/proc/${id}/fd`).catch(() => [])
    for (const name of ['cwd', 'root', ...descriptors.map((descriptor) => `fd/${descriptor}`)]) {
      const path = await readlink(`/proc/${id}/${name}`).catch(() => '')
      for (const folder of folders) if (path === folder || path.startsWith(`${folder}/`)) found.add(folder)
    }
  }
  return found
}
