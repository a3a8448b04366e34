import type { z } from 'zod'
import { type Setting, settingsOf } from './describe.ts'
import { getAt, merge, type Sources } from './layers.ts'

export interface ShownSetting {
  readonly setting: string
  /** As written; `[secret]` where nobody should see it. */
  readonly value: unknown
  /** `default`, `agent.yaml:3`, `FLOTILLA_LISTEN`, `--listen`, `not set`. */
  readonly origin: string
}

/** Every setting with its value and where that comes from. */
export function showConfig(schema: z.ZodType, sources: Sources): readonly ShownSetting[] {
  const settings = settingsOf(schema)
  const { data, origins } = merge(settings, sources)
  return settings.flatMap((setting) =>
    expand(setting.path, data)
      .filter((path) => isOf(setting, path, data))
      .map((path) => {
        const dotted = path.join('.')
        const given = getAt(data, path)
        const value = given ?? setting.fallback
        const place = sources.document?.placeOf(path)
        const origin =
          origins.get(dotted) ??
          (given !== undefined && place !== undefined ? `${sources.document?.file}:${place.line}` : originOf(setting))
        return { setting: dotted, value: setting.secret && value !== undefined ? '[secret]' : shown(value), origin }
      }),
  )
}

/** An address may not hold a password, and somebody may have written one all the same. */
function shown(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/(:\/\/).*@/s, '$1[secret]@') : value
}

/** Whether the setting is one of the kind that stands there. */
function isOf({ of }: Setting, path: readonly string[], data: unknown): boolean {
  return of === undefined || getAt(data, [...path.slice(0, of.depth), 'kind']) === of.kind
}

function originOf(setting: Setting): string {
  return setting.fallback === undefined ? 'not set' : 'default'
}

/** The paths that `*` stands for in `data`; none where there is no name. */
function expand(path: readonly string[], data: unknown): string[][] {
  const star = path.indexOf('*')
  if (star === -1) return [[...path]]
  const names = Object.keys((getAt(data, path.slice(0, star)) as object | undefined) ?? {})
  return names.flatMap((name) => expand([...path.slice(0, star), name, ...path.slice(star + 1)], data))
}
