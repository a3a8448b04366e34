import { OPENMETEO_DOMAIN, OPENMETEO_ENDPOINT, OPENMETEO_TENS } from '../../../core/routing/openmeteo.ts'
import { ANY_BYTE, atBase, below, found, is, type KeyPartWriter, missing, NOTHING } from './key-parts.ts'

/** Puts the key into `key`. See core/routing/openmeteo.ts; `own` makes the names of variables and files. */
export function openmeteoKey(base: string, own: (name: string) => string, writer: KeyPartWriter): string {
  const [endpoint, model, latitude, longitude, key] = names(own)
  const root = ANY_BYTE + below(base)
  const isEndpoint = writer.map(`${endpoint}.map`, [[`${root}${OPENMETEO_ENDPOINT}\\z`, '\\1']])
  writer.set(endpoint, `var(txn.path),${isEndpoint}`)
  const inPath = writer.map(`${key}.map`, [
    [`${root}${OPENMETEO_DOMAIN}\\z`, 'domain/\\1'],
    [atBase(base), NOTHING],
  ])
  writer.set(key, `var(txn.path),${inPath}`, missing(endpoint))
  const inPrefix = writer.map('openmeteo-prefix.map', [[`${ANY_BYTE}^${OPENMETEO_DOMAIN}\\z`, 'domain/\\1']])
  writer.set(key, `${writer.parameter('prefix')},${inPrefix}`, is(key, NOTHING))
  const first = writer.map('openmeteo-model.map', [
    ['^(?i:auto|best_match)(?![A-Za-z0-9_])', NOTHING],
    ['^([A-Za-z0-9_]+)', '\\1'],
  ])
  for (const parameter of ['domains', 'models']) {
    writer.set(model, `${writer.parameter(parameter)},${first}`, found(endpoint), missing(model))
  }
  const tens = writer.map('openmeteo-tens.map', [
    [`${ANY_BYTE}^${OPENMETEO_TENS.replaceAll(' ', '\\x20')}\\z`, '\\1\\2'],
  ])
  for (const [variable, parameter] of [
    [latitude, 'latitude'],
    [longitude, 'longitude'],
  ] as const) {
    writer.set(variable, 'str(x)')
    writer.set(variable, `${writer.parameter(parameter)},${tens}`)
  }
  writer.set(key, `var(txn.${endpoint}),concat(/,txn.${latitude},/),concat(,txn.${longitude})`, found(endpoint))
  writer.set(key, `var(txn.${endpoint}),concat(/,txn.${model})`, found(model), `!${is(model, NOTHING)}`)
  return key
}

function names(own: (name: string) => string) {
  return [own('endpoint'), own('model'), own('latitude'), own('longitude'), own('key')] as const
}
