import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { FILES_AT, filePath, keyOf } from '../files-at.ts'
import { type Cell, table } from '../output.ts'
import type { Copy } from '../../app/files-where.ts'
import { timeOf } from './files-ls.ts'

export const filesWhere = command({
  arguments: [{ name: 'PATH', summary: 'TREE/KEY' }],
  options: { apikeyFile: FILES_AT.apikeyFile, ...CLIENT },
  details:
    'Asks the file service of every node that serves the tree, as the hub knows them. The exit code is 0 when all have the same, 3 ' +
    'when one has another version, lacks it, or does not answer.',
  examples: ['flotilla files where data/icon/temperature/chunk_1.om'],
  async run({ options, args }, context) {
    const { output, clock, signal } = context
    const { tree, key } = filePath(args.PATH)
    const { nodes } = await withHub(options, context, ({ client }) => client.nodes({ signal }))
    const { copiesOf } = await import('../../app/files-where.ts')
    const copies = await copiesOf(
      { nodes, tree, key, apikey: await keyOf(options.apikeyFile, context), clock },
      { signal },
    )
    const inStep = copies.length > 0 && copies.every(({ state }) => state === 'same')
    if (options.json) output.json('files-where', { tree, key, copies })
    else print(copies, `${tree}/${key}`, context)
    return inStep ? 0 : 3
  },
})

const STATES: Readonly<Record<Copy['state'], Cell>> = {
  same: { text: '✓ has it', colour: 'green' },
  other: { text: '≠ another version', colour: 'yellow' },
  absent: { text: '✗ lacks it', colour: 'red' },
  unknown: { text: '! not known', colour: 'red' },
}

function print(copies: readonly Copy[], path: string, { output }: Context): void {
  if (copies.length === 0) {
    output.print(cleanLine(`no node serves the tree of ${path}`))
    return
  }
  const rows = copies.map(({ node, state, entry, message }): Cell[] => [
    node,
    STATES[state],
    entry === undefined ? '-' : String(entry.size),
    entry === undefined ? '-' : timeOf(entry.modifiedMs),
    entry?.sha256?.slice(0, 16) ?? entry?.etag ?? '-',
    message ?? '',
  ])
  table(output, ['NODE', 'STATE', 'SIZE', 'MODIFIED', 'HASH OR ETAG', 'WHY'], rows)
}
