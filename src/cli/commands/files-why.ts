import type { FileWhy } from '../../core/files/peer-look.ts'
import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { FILES_AT, filePath, withLook } from '../files-at.ts'

export const filesWhy = command({
  arguments: [{ name: 'PATH', summary: 'TREE/KEY' }],
  options: FILES_AT,
  details:
    'Asks one file service why a file is not served there: hidden, a link, still being written, left out by a rule of what is ' +
    'pulled, not pulled yet, or failed. The exit code is 0 when it is served, 3 when it is not.',
  examples: ['flotilla files why data/icon/temperature/chunk_1.om --url http://node2:8480'],
  async run({ options, args }, context) {
    const { output, signal } = context
    const { tree, key } = filePath(args.PATH)
    return await withLook(options, context, async (look) => {
      const why = await look.why(tree, key, { signal })
      if (options.json) output.json('files-why', { tree, key, ...why })
      else for (const line of linesOf(why)) output.print(cleanLine(line))
      return why.entry === undefined ? 3 : 0
    })
  },
})

function linesOf({ entry, folder, pull }: FileWhy): readonly string[] {
  const served = entry === undefined ? 'it is not served' : `it is served: ${entry.size} bytes, "${entry.etag}"`
  const unseen = entry === undefined && folder.state === 'there' ? ', and has not been noticed yet' : ''
  return [
    served,
    `folder  ${folder.message}${unseen}`,
    ...(pull === undefined ? [] : [`pull    ${pull.message}; from ${pull.from}`]),
  ]
}
