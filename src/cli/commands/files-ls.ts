import type { FileEntry } from '../../core/files/entry.ts'
import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { FILES_AT, filesPath, withLook } from '../files-at.ts'

export const filesLs = command({
  arguments: [{ name: 'PATH', summary: 'TREE, or TREE/PREFIX; all trees without one', optional: true }],
  options: {
    recursive: { type: 'flag', summary: 'every file below, however deep' },
    ...FILES_AT,
  },
  details: 'A prefix that ends with a slash is a folder. With --json a line for each file, folder or tree.',
  examples: ['flotilla files ls', 'flotilla files ls data/icon/', 'flotilla files ls data --recursive --json'],
  async run({ options, args }, context) {
    const { output, signal } = context
    return await withLook(options, context, async (look) => {
      if (args.PATH === undefined) {
        const trees = await look.trees({ signal })
        if (trees.length === 0) output.note('there is no tree that may be read; another key may read more')
        for (const tree of trees) {
          if (options.json) output.json('tree', { tree })
          else output.print(cleanLine(tree))
        }
        return 0
      }
      const { tree, key: prefix } = filesPath(args.PATH)
      const scope = { prefix, recursive: options.recursive, signal }
      for await (const { folders, files } of look.list(tree, scope)) {
        for (const folder of folders) {
          if (options.json) output.json('folder', { tree, folder })
          else output.print(row('-', '', `${tree}/${folder}`))
        }
        for (const file of files) {
          if (options.json) output.json('file', { tree, ...file })
          else printFile(tree, file, context)
        }
        if (output.out.closed === true) break
      }
      return 0
    })
  },
})

function printFile(tree: string, { key, size, modifiedMs }: FileEntry, { output }: Context): void {
  output.print(row(String(size), timeOf(modifiedMs), `${tree}/${key}`))
}

function row(size: string, time: string, path: string): string {
  return `${size.padStart(14)}  ${time.padEnd(20)}  ${cleanLine(path)}`
}

export function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
