import type { Query } from './target.ts'

/*
 * Open-Meteo: the endpoint and the first model or domain, as each model's files are a cache of their own. Without a model the
 * server chooses by place: then tiles of ten degrees spread what would otherwise all go to one node.
 */

/** Group 1 is the endpoint. */
export const OPENMETEO_ENDPOINT = 'v1/([a-z0-9_-]+)'
/** Files of the domain in group 1, in the path or, for a listing, in the parameter `prefix`. */
export const OPENMETEO_DOMAIN = 'data/([A-Za-z0-9_-]+)(?:/.*)?'
/** The tens of a coordinate with their sign: groups 1 and 2. Of a list the first. */
export const OPENMETEO_TENS = '[ +]?(-?)(\\d*?)\\d(?:[.,].*)?'

const ENDPOINT = new RegExp(`^${OPENMETEO_ENDPOINT}$`)
const DOMAIN = new RegExp(`^${OPENMETEO_DOMAIN}$`, 's')
const TENS = new RegExp(`^${OPENMETEO_TENS}$`, 's')
const CHOSEN_BY_SERVER = /^(?:auto|best_match)$/i

export function openmeteoKey(rest: string, query: Query): string | undefined {
  const endpoint = ENDPOINT.exec(rest)?.[1]
  if (endpoint !== undefined) return `${endpoint}/${modelIn(query) ?? tileIn(query)}`
  const domain = DOMAIN.exec(rest)?.[1] ?? DOMAIN.exec(query('prefix') ?? '')?.[1]
  return domain === undefined ? undefined : `domain/${domain}`
}

function modelIn(query: Query): string | undefined {
  for (const parameter of ['domains', 'models']) {
    const model = /^[A-Za-z0-9_]+/.exec(query(parameter) ?? '')?.[0]
    if (model !== undefined) return CHOSEN_BY_SERVER.test(model) ? undefined : model
  }
  return undefined
}

function tileIn(query: Query): string {
  return ['latitude', 'longitude'].map((name) => tensOf(query(name) ?? '')).join('/')
}

function tensOf(text: string): string {
  const [, sign = '', tens = 'x'] = TENS.exec(text) ?? []
  return sign + tens
}
