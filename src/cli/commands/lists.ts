import type { ListChangeAnswer, ListName } from '../../core/lists.ts'
import { FlotillaError } from '../../core/errors.ts'
import { treeOption } from '../../core/status.ts'
import { type Command, command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { ago, plural } from '../format.ts'
import { table } from '../output.ts'

interface Words {
  readonly list: ListName
  readonly op: 'add' | 'remove'
  /** What was done, before the values: `blocked 192.0.2.7`. */
  readonly done: string
  /** What was so already, after the values. */
  readonly already: string
  readonly undo: string
  readonly details: string
  readonly examples: readonly string[]
}

const ADDRESSES =
  'VALUE is an address or a network of IPv4 or IPv6, or several with commas: 192.0.2.7, 192.0.2.0/24, ' +
  '192.0.2.10-192.0.2.20, 192.0.2.*, 2001:db8::/112. '
const KEPT = 'No release and no rollback changes it. A node that is away takes it over when it is back.'

export const blockIp = changing({
  list: 'requestBlacklist',
  op: 'add',
  done: 'blocked',
  already: 'blocked already',
  undo: 'unblock ip',
  details: `${ADDRESSES}Every ERDDAP answers them with an error. ${KEPT}`,
  examples: ['flotilla block ip 192.0.2.7', 'flotilla block ip 192.0.2.0/24,2001:db8::/112'],
})

export const unblockIp = changing({
  list: 'requestBlacklist',
  op: 'remove',
  done: 'unblocked',
  already: 'not blocked',
  undo: 'block ip',
  details: `${ADDRESSES}It is taken off as it was put on: a single address out of a blocked network cannot be.`,
  examples: ['flotilla unblock ip 192.0.2.7'],
})

export const blockEmail = changing({
  list: 'subscriptionEmailBlacklist',
  op: 'add',
  done: 'blocked',
  already: 'blocked already',
  undo: 'unblock email',
  details: `They can subscribe to nothing; *@example.org stands for everybody there. ${KEPT}`,
  examples: ['flotilla block email bob@example.org', "flotilla block email '*@example.org'"],
})

export const unblockEmail = changing({
  list: 'subscriptionEmailBlacklist',
  op: 'remove',
  done: 'unblocked',
  already: 'not blocked',
  undo: 'block email',
  details: 'They can subscribe again.',
  examples: ['flotilla unblock email bob@example.org'],
})

export const allowUnlimited = changing({
  list: 'ipAddressUnlimited',
  op: 'add',
  done: 'without a limit of requests:',
  already: 'without a limit already',
  undo: 'remove-unlimited',
  details: `${ADDRESSES}ERDDAP knows single addresses here: a network may hold 256 at most. ${KEPT}`,
  examples: ['flotilla allow-unlimited 192.0.2.7'],
})

export const removeUnlimited = changing({
  list: 'ipAddressUnlimited',
  op: 'remove',
  done: 'limited as others again:',
  already: 'limited already',
  undo: 'allow-unlimited',
  details: `${ADDRESSES}It is taken off as it was put on.`,
  examples: ['flotilla remove-unlimited 192.0.2.7'],
})

const VALUES_SHOWN = 20

function changing(words: Words): Command {
  return command({
    arguments: [{ name: 'VALUE', summary: 'one or more, also with commas', variadic: true }],
    options: { ...TREE, ...CLIENT },
    details: words.details,
    examples: words.examples,
    async run({ args, options }, context) {
      const values = args.VALUE.flatMap((text) => text.split(',')).filter((text) => text.trim() !== '')
      if (values.length === 0)
        throw new FlotillaError('USAGE', 'VALUE is missing', { hint: `As in: ${words.examples[0]}` })
      const { tree, json } = options
      const answer = await withHub(options, context, ({ client }) =>
        client.changeList(tree, words.list, { [words.op]: values }, { signal: context.signal }),
      )
      const changed = [...answer.added, ...answer.removed]
      const undo = changed.length === 0 ? undefined : `flotilla ${words.undo} ${shellWords(changed)}${treeOption(tree)}`
      if (json) context.output.json('list', { ...answer, undo })
      else tell(words, answer, undo, context)
      return 0
    },
  })
}

function tell(words: Words, answer: ListChangeAnswer, undo: string | undefined, { output }: Context): void {
  const changed = [...answer.added, ...answer.removed]
  if (changed.length > 0) output.print(`${words.done} ${some(changed)} on every node, revision ${answer.revision}`)
  if (answer.unchanged.length > 0) output.print(`${words.already}: ${some(answer.unchanged)}`)
  for (const { value, by } of answer.covered.slice(0, VALUES_SHOWN)) {
    output.print(`${output.paint('yellow', 'note:')} ${value} lies in ${by}, which is still on the list`)
  }
  const mine = new Set(changed)
  for (const { value, why } of answer.left.filter((left) => mine.has(left.value)).slice(0, VALUES_SHOWN)) {
    output.print(`${output.paint('yellow', 'note:')} your proxy must do it for ${value}: ${why}`)
  }
  if (undo !== undefined) output.print(`undo: ${undo}`)
}

function some(values: readonly string[]): string {
  const more = values.length - VALUES_SHOWN
  return values.slice(0, VALUES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** Values hold no quote and no space; `*`, `!` and the like are the shell's. */
function shellWords(values: readonly string[]): string {
  return values.map((value) => (/^[\w.:/@,+-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`)).join(' ')
}

const NAMES = { ip: 'requestBlacklist', email: 'subscriptionEmailBlacklist', unlimited: 'ipAddressUnlimited' } as const
type Name = keyof typeof NAMES

export const blockList = command({
  arguments: [],
  options: { ...TREE, ...CLIENT },
  details:
    'What is blocked, who is not limited, since when and by whom; and what your proxy must do, as ERDDAP cannot.',
  examples: ['flotilla block list', 'flotilla block list --json'],
  async run({ options }, context) {
    const { output, clock, signal } = context
    const names = Object.keys(NAMES) as Name[]
    const answers = await withHub(options, context, async ({ client }) =>
      Promise.all(names.map(async (name) => client.list(options.tree, NAMES[name], { signal }))),
    )
    if (options.json) {
      output.json('lists', { tree: options.tree, lists: answers })
      return 0
    }
    const nowMs = clock.nowMs()
    const rows = answers.flatMap(({ entries, left }, index) => {
      const why = new Map(left.map((each) => [each.value, each.why]))
      return entries.map(({ value, author, atMs }) => [
        names[index] ?? '',
        value,
        why.has(value) ? 'your proxy' : 'every node',
        author,
        ago(atMs, nowMs),
      ])
    })
    table(output, ['LIST', 'VALUE', 'HELD BY', 'AUTHOR', 'SINCE'], rows)
    output.note(rows.length === 0 ? 'nothing is blocked, and nobody is without a limit' : plural(rows.length, 'value'))
    return 0
  },
})
