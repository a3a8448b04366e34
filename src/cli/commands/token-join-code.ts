import { FlotillaError } from '../../core/errors.ts'
import { isName } from '../../core/keys.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { span } from '../format.ts'
import { JOIN_ADVICE, joinLine } from '../join-line.ts'

export const tokenJoinCode = command({
  arguments: [],
  options: {
    source: {
      type: 'list',
      placeholder: 'TREE',
      summary: 'the node may make releases of this tree of what is changed on it: for a GeoServer that is a source',
    },
    ...CLIENT,
  },
  details:
    'A node may read what the cluster serves, and speak about itself. Only one that joins with --source TREE may release, and ' +
    'then only that tree.',
  examples: [
    'flotilla token join-code',
    'flotilla token join-code --source geoserver',
    'flotilla token join-code --json',
  ],
  async run({ options }, context) {
    const { output, clock, signal } = context
    const { answer, url } = await withHub(options, context, async (hub) => ({
      answer: await hub.client.createJoinCode({ sources: sourcesOf(options.source), signal }),
      url: hub.url,
    }))
    const line = joinLine({ url, code: answer.code })
    if (options.json) output.json('join-code', { ...answer, join: line })
    else {
      output.print(answer.code)
      output.note(
        `for one node, within ${span(answer.expiresAtMs - clock.nowMs())}; on that server:\n  ${line}\n${JOIN_ADVICE}`,
      )
    }
    return 0
  },
})

function sourcesOf(trees: readonly string[]): readonly string[] | undefined {
  const wrong = trees.find((tree) => !isName(tree))
  if (wrong !== undefined) {
    throw new FlotillaError('USAGE', `--source: ${JSON.stringify(wrong)} is not the name of a tree`)
  }
  return trees.length === 0 ? undefined : trees
}
