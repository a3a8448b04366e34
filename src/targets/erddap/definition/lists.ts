import { erddapList } from '../../../core/lists/erddap.ts'
import { type ListName, type Lists, LISTS } from '../../../core/lists.ts'
import type { Problem } from '../../../core/problem.ts'
import type { Fragment } from './fragment.ts'

export interface ListsInput {
  /** The cluster's. */
  readonly lists: Lists
  /** Settings that this node has written before: ERDDAP keeps what it read of one that then is in no file. */
  readonly before: readonly ListName[]
}

export interface ListSetting {
  readonly name: ListName
  readonly values: readonly string[]
}

/**
 * The settings that say what the cluster blocks and lets through, with what the definitions themselves say of it: of
 * several ERDDAP takes the last. Those that the cluster has nothing for stay as the definitions have them.
 */
export function mergeLists(fragments: readonly Fragment[], { lists, before }: ListsInput): readonly ListSetting[] {
  const settings = fragments.flatMap((fragment) => fragment.settings)
  return LISTS.filter((name) => lists[name].length > 0 || before.includes(name)).map((name) => {
    const own = settings.findLast(({ list }) => list?.name === name)?.list?.values ?? []
    return { name, values: [...new Set([...own, ...erddapList(name, lists[name]).values])] }
  })
}

const REFUSED_BY_PROXIES =
  'Proxies that Flotilla looks after refuse it. Where clients come another way, enforce it there, or give smaller networks.'

/** What of the lists no datasets.xml can say. */
export function leftOut(lists: Lists): readonly Problem[] {
  return LISTS.flatMap((name): readonly Problem[] => {
    const { left } = erddapList(name, lists[name])
    const [first] = left
    if (first === undefined) return []
    const more = left.length > 1 ? ` and ${left.length - 1} more` : ''
    return [
      {
        severity: 'warning',
        code: 'LIST_LEFT',
        file: 'datasets.xml',
        message: `${name} is without ${first.value}${more}: ${first.why}`,
        hint: name === 'requestBlacklist' ? REFUSED_BY_PROXIES : 'Give smaller networks.',
      },
    ]
  })
}

/** The fragment without these settings. What stood there is blank now, so every place in it stays what it was. */
export function withoutLists(fragment: Fragment, names: readonly ListName[]): Fragment {
  const isGone = ({ list }: Fragment['settings'][number]): boolean => list !== undefined && names.includes(list.name)
  const gone = fragment.settings.filter(isGone)
  if (gone.length === 0) return fragment
  const bytes = Buffer.from(fragment.bytes)
  for (const { start, end } of gone) {
    for (let at = start; at < end; at++) if (bytes[at] !== LF) bytes[at] = SPACE
  }
  return { ...fragment, bytes, settings: fragment.settings.filter((setting) => !isGone(setting)) }
}

const LF = 10
const SPACE = 32
