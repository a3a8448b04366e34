import type { Needs } from '../../app/catalog-needs.ts'
import type { CatalogAnswer, CatalogDifference } from '../../core/api-catalog.ts'
import { clean } from '../../lib/clean.ts'
import { CATALOG, catalogOption, layerKey } from '../catalog-options.ts'
import { command } from '../command.ts'
import { withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import type { Output } from '../output.ts'
import { printWhy } from '../why-view.ts'

export const catalogWhy = command({
  arguments: [{ name: 'LAYER', summary: 'such as topp:states; another object with its kind, such as style/burg' }],
  options: CATALOG,
  details:
    'Which release changed it and who made that, how it is on each node, what it needs and which data it reads, and what of ' +
    'that the release lacks. The exit code is 0 where every node serves it as released, otherwise 3.',
  examples: ['flotilla catalog why topp:states', 'flotilla catalog why style/burg'],
  async run({ args, options }, context) {
    const { tree, json } = options
    const { signal } = context
    return withHub(options, context, async (hub) => {
      const { items, release } = await hub.client.items(tree, undefined, { signal })
      const catalog = await hub.catalog.catalog(tree, { signal })
      const known = [...items.map(({ id }) => id), ...differing(catalog)]
      const key = layerKey(tree, args.LAYER, known)
      const [answer, needs] = await Promise.all([
        hub.client.why(tree, key, { signal }),
        (async () => {
          const [{ releasedTree }, { needsOf }] = await Promise.all([
            import('../../app/catalog-releases.ts'),
            import('../../app/catalog-needs.ts'),
          ])
          return await needsOf(key, await releasedTree(hub.client, tree, release, { signal }), items, { signal })
        })(),
      ])
      const own = differencesIn(catalog, key)
      const missing = needs.objects.filter(({ path }) => path === undefined).map((need) => need.key)
      if (json) context.output.json('why', { ...answer, needs, missing, differences: own })
      else {
        printWhy(answer, context)
        printNeeds(needs, context.output)
        printOwn(own, tree, context)
      }
      const isServed = answer.nodes.every(({ state }) => state === 'served' || state === 'inactive')
      return isServed && own.length === 0 && missing.length === 0 ? 0 : 3
    })
  },
})

/** What only nodes have can be asked for, too. */
function differing({ nodes }: CatalogAnswer): readonly string[] {
  return nodes.flatMap(({ catalog }) => catalog.differences.map(({ key }) => key))
}

interface OwnDifference extends CatalogDifference {
  readonly node: string
}

function differencesIn({ nodes }: CatalogAnswer, key: string): readonly OwnDifference[] {
  return nodes.flatMap(({ node, catalog }) =>
    catalog.differences.filter((one) => one.key === key).map((one) => Object.assign({ node }, one)),
  )
}

function printNeeds({ objects, data }: Needs, output: Output): void {
  if (objects.length > 0) output.print('\nneeds')
  for (const { key, path, neededBy } of objects) {
    const what = path === undefined ? output.paint('red', `missing: ${neededBy} refers to it`) : path
    output.print(`  ${clean(key)}  ${clean(what)}`)
  }
  if (data.length > 0) output.print('\nreads, on each node (data is in no release)')
  for (const { source, readBy } of data) output.print(clean(`  ${source}  of ${readBy}`))
}

const WORDS: Readonly<Record<CatalogDifference['decision'], string>> = {
  conflict: 'changed there and by a release: nothing happens until somebody decides',
  report: 'changed there by somebody, and not released',
  propose: 'changed there, becomes part of the next release',
  apply: 'not yet as the release has it',
}

function printOwn(own: readonly OwnDifference[], tree: string, { output }: Context): void {
  if (own.length > 0) output.print()
  for (const { node, decision, details = [] } of own) {
    const what = details.length === 0 ? '' : ` (${details.join('; ')})`
    output.print(clean(`${node}: ${WORDS[decision]}${what}`))
    output.print(clean(`  flotilla catalog diff --node ${node}${catalogOption(tree)}`))
  }
}
