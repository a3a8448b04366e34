import type { Maps } from './maps.ts'
import { literal } from '../../../lib/nginx/quote.ts'

/** What a path below the base begins with. `then` is what stands behind the base. */
export function below(base: string, then = '/'): string {
  return `^${literal(base.replace(/\/+$/, ''))}${then}`
}

export interface Named {
  readonly regex: string
  /** One variable for each group that captures, in their order. */
  readonly groups: readonly string[]
  /** The groups, one after the other. */
  readonly values: string
}

/** Gives every group that captures a name: nginx numbers them anew in each expression, and the last one wins. */
export function named(regex: string, maps: Maps): Named {
  const groups: string[] = []
  // An escape, a class, a group of another kind, or one that captures.
  const named = regex.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]|\((?![?*])/g, (found) => {
    if (found !== '(') return found
    const name = maps.capture()
    groups.push(`$\{${name}}`)
    return `(?<${name}>`
  })
  return { regex: named, groups, values: groups.join('') }
}

/** The variable that holds a parameter's first value as it was sent, by its name in any case. */
export function parameter(name: string, maps: Maps): string {
  if (maps.has(`arg_${name}`)) return `$flotilla_arg_${name}`
  const value = named(`(?:^|&)(?i:${name})(?:=([^&]*))?(?:&|\\z)`, maps)
  return maps.define(`arg_${name}`, '$flotilla_args', '', [{ when: value, value: value.values }])
}
