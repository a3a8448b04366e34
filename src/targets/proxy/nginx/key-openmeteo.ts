import { OPENMETEO_DOMAIN, OPENMETEO_ENDPOINT } from '../../../core/routing/openmeteo.ts'
import { below, named, parameter } from './key-parts.ts'
import type { Maps } from './maps.ts'

/** See core/routing/openmeteo.ts. Parameters come as they were sent: what clients escape as a rule is known by that too. */
export function openmeteoKey(base: string, name: string, maps: Maps): string {
  const endpoint = named(`${below(base)}${OPENMETEO_ENDPOINT}\\z`, maps)
  const domain = named(`(?s)${below(base)}${OPENMETEO_DOMAIN}\\z`, maps)
  const atEndpoint = maps.define(`${name}_endpoint`, '$uri', '', [{ when: endpoint, value: endpoint.values }])
  const inPath = maps.define(`${name}_path`, '$uri', ELSEWHERE, [
    { when: domain, value: domain.values },
    { when: { regex: below(base, '(?:/|\\z)') }, value: '' },
  ])
  const listed = named('^data(?:/|%2[Ff])([A-Za-z0-9_-]+)(?:(?:/|%2[Ff]).*)?\\z', maps)
  const inPrefix = maps.define(`${name}_prefix`, parameter('prefix', maps), '', [
    { when: listed, value: listed.values },
  ])
  const found = maps.define(`${name}_domain`, inPath, inPath, [
    { when: { text: ELSEWHERE }, value: '' },
    { when: { text: '' }, value: inPrefix },
  ])
  const file = maps.define(`${name}_file`, found, `domain/${found}`, [{ when: { text: '' }, value: '' }])
  const what = maps.define(`${name}_what`, model(name, maps), model(name, maps), [
    { when: { text: '' }, value: `${tens('latitude', maps)}/${tens('longitude', maps)}` },
  ])
  return maps.define(`${name}_found`, atEndpoint, `${atEndpoint}/${what}`, [{ when: { text: '' }, value: file }])
}

const ELSEWHERE = '!'

function model(name: string, maps: Maps): string {
  if (maps.has(`${name}_model`)) return `$flotilla_${name}_model`
  const first = (from: string, otherwise: string): string => {
    const model = named('^([A-Za-z0-9_]+)', maps)
    return maps.define(`${name}_${from}`, parameter(from, maps), otherwise, [{ when: model, value: model.values }])
  }
  const asked = first('domains', first('models', ''))
  return maps.define(`${name}_model`, asked, asked, [{ when: { regex: '^(?i:auto|best_match)\\z' }, value: '' }])
}

/** The tens of a coordinate with their sign. */
function tens(coordinate: string, maps: Maps): string {
  const name = `tens_${coordinate}`
  if (maps.has(name)) return `$flotilla_${name}`
  const digits = named('(?s)^(?:\\+|%2[Bb]|%20)?(-?)(\\d*?)\\d(?:(?:[.,]|%2[CcEe]).*)?\\z', maps)
  return maps.define(name, parameter(coordinate, maps), 'x', [{ when: digits, value: digits.values }])
}
