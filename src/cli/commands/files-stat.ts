import { FlotillaError } from '../../core/errors.ts'
import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { FILES_AT, filePath, withLook } from '../files-at.ts'
import { ago } from '../format.ts'

export const filesStat = command({
  arguments: [{ name: 'PATH', summary: 'TREE/KEY' }],
  options: FILES_AT,
  details:
    'What one file service has under that name: size, time, ETag, hashes. For all nodes: flotilla files where PATH.',
  examples: ['flotilla files stat data/icon/temperature/chunk_1.om'],
  async run({ options, args }, context) {
    const { output, clock, signal } = context
    const { tree, key } = filePath(args.PATH)
    return await withLook(options, context, async (look) => {
      const found = await look.stat(tree, key, { signal })
      if (found === undefined) {
        throw new FlotillaError('NOT_FOUND', `there is no ${tree}/${key}`, {
          hint: `flotilla files why ${tree}/${key} says why.`,
        })
      }
      const { entry, hasBlocks } = found
      if (options.json) {
        output.json('file', { tree, ...entry, hasBlocks })
        return 0
      }
      const { size, modifiedMs, etag, sha256, md5 } = entry
      const unknown = 'not known yet'
      output.print(cleanLine(`${tree}/${key}`))
      output.print(`size      ${size}`)
      output.print(`modified  ${new Date(modifiedMs).toISOString()} (${ago(modifiedMs, clock.nowMs())})`)
      output.print(cleanLine(`etag      "${etag}"`))
      output.print(`sha256    ${sha256 ?? unknown}`)
      if (md5 !== undefined) output.print(`md5       ${md5}`)
      output.print(`blocks    ${hasBlocks ? 'hashed: a changed copy needs the changed blocks only' : unknown}`)
      return 0
    })
  },
})
