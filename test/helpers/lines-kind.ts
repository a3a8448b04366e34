import type { Problem } from '../../src/core/problem.ts'
import type { FileTree, ItemChange, TreeItem, TreeKind } from '../../src/core/tree.ts'
import { sha256 } from '../../src/lib/hash.ts'

/**
 * A tiny kind of tree, to test what does not depend on the kind. In files named `*.txt` every line `id=text` is an
 * item; `id=off` is an inactive one; a line `!` is an error, `?` a warning, and `$name` a node value that is used.
 */
export const linesKind: TreeKind = {
  kind: 'lines',
  async check(tree, { active = {}, nodeValues }) {
    const problems: Problem[] = []
    const items = new Map<string, TreeItem>()
    for (const { path, line, text } of await linesOf(tree)) {
      const report = (
        severity: Problem['severity'],
        code: Problem['code'],
        message: string,
        dataset?: string,
      ): void => {
        problems.push({ severity, code, file: path, line, message, ...(dataset !== undefined && { dataset }) })
      }
      if (text === '!') report('error', 'XML_MALFORMED', 'broken')
      if (text === '?') report('warning', 'PATH_MISSING', 'doubtful')
      if (text.startsWith('$') && nodeValues?.has(text.slice(1)) === false) {
        report('error', 'NODE_VALUE_UNKNOWN', `no value ${text}`)
      }
      const [id = '', value] = text.split('=')
      if (value === undefined) continue
      if (items.has(id)) report('error', 'ID_DUPLICATE', `${id} is also in ${items.get(id)?.path}`, id)
      else
        items.set(id, {
          id,
          type: 'Line',
          active: Object.hasOwn(active, id) ? active[id] === true : value !== 'off',
          path,
          line,
          digest: sha256(value),
        })
    }
    if (items.size === 0 && problems.length === 0) {
      problems.push({ severity: 'error', code: 'EMPTY', file: '', message: 'no items' })
    }
    return { problems, items: [...items.values()] }
  },
  async compare(from, to) {
    const [before, after] = [await definitions(from), await definitions(to)]
    const changes: ItemChange[] = []
    for (const [id, { path, text }] of after) {
      const was = before.get(id)
      if (was === undefined) changes.push({ id, effect: 'added', path, details: [] })
      else if (was.text !== text)
        changes.push({ id, effect: text === 'off' ? 'hard' : 'soft', path, details: ['text'] })
    }
    for (const [id, { path }] of before) {
      if (!after.has(id)) changes.push({ id, effect: 'removed', path, details: [] })
    }
    return changes
  },
}

interface Line {
  readonly path: string
  readonly line: number
  readonly text: string
}

async function linesOf(tree: FileTree): Promise<readonly Line[]> {
  const lines: Line[] = []
  for (const { path } of tree.files.filter((file) => file.path.endsWith('.txt'))) {
    const content = Buffer.from(await tree.read(path)).toString()
    lines.push(...content.split('\n').map((text, index) => ({ path, line: index + 1, text })))
  }
  return lines
}

async function definitions(tree: FileTree): Promise<ReadonlyMap<string, Line>> {
  const found = new Map<string, Line>()
  for (const line of await linesOf(tree)) {
    const [id = '', text] = line.text.split('=')
    if (text !== undefined && !found.has(id)) found.set(id, { ...line, text })
  }
  return found
}
