import { erddapKey, isForEveryErddap } from './erddap.ts'
import { geoserverKey } from './geoserver.ts'
import type { KeyRule } from './model.ts'
import { openmeteoKey } from './openmeteo.ts'
import { rulePattern } from './pattern.ts'
import { type Query, requestTarget } from './target.ts'

/** The longest key. What is longer is no name that anybody gave to data. */
export const KEY_CHARS = 200

const KEY = /^[A-Za-z0-9_.:@~+/-]+$/

/** Whether this can be a key: 1 to 200 of `A-Z a-z 0-9 _ . : @ ~ + / -`. Anything else has none, and is not placed. */
export function isKey(text: string): boolean {
  return text.length <= KEY_CHARS && KEY.test(text)
}

export interface FoundKey {
  readonly key: string
  readonly rule: KeyRule
}

/**
 * What `url`, a path with its query or a whole URL, asks for: by the first of `rules` that finds a key in it. Undefined for
 * pages that are of no item, such as lists and searches, and for what no rule knows.
 */
export function keyOf(url: string, rules: readonly KeyRule[]): FoundKey | undefined {
  const target = requestTarget(url)
  if (target === undefined) return undefined
  for (const rule of rules) {
    const key = byRule(rule, target.path, target.query)
    if (key !== undefined && isKey(key)) return { key, rule }
  }
  return undefined
}

/** Whether a request must reach every node, and so goes to `everyNode` of the table where that is set. */
export function isForEveryNode(url: string, rules: readonly KeyRule[]): boolean {
  const path = requestTarget(url)?.path ?? ''
  return rules.some((rule) => rule.system === 'erddap' && isForEveryErddap(below(rule.base, path) ?? ''))
}

type Find = (rest: string, query: Query) => string | undefined

/** For the part of the path below the base of a rule. */
const FIND: Readonly<Record<Exclude<KeyRule['system'], 'rule'>, Find>> = {
  erddap: erddapKey,
  geoserver: geoserverKey,
  openmeteo: openmeteoKey,
  path: (rest) => /^[^/]+/.exec(rest)?.[0],
}

function byRule(rule: KeyRule, path: string, query: Query): string | undefined {
  if (rule.system === 'rule') return rulePattern(rule.pattern).exec(path)?.[1]
  const rest = below(rule.base, path)
  return rest === undefined ? undefined : FIND[rule.system](rest, query)
}

/** `/erddap/griddap/x` below `/erddap` is `griddap/x`; undefined where `path` is not below it. */
function below(base: string, path: string): string | undefined {
  const folder = `${base.replace(/\/+$/, '')}/`
  if (path === folder.slice(0, -1)) return ''
  return path.startsWith(folder) ? path.slice(folder.length) : undefined
}
