import {
  ERDDAP_EVERY_NODE,
  ERDDAP_FORMS,
  ERDDAP_LANGUAGE,
  ERDDAP_NOT_A_DATASET,
  ERDDAP_PARAMETER,
} from '../../../core/routing/erddap.ts'
import { KEY_CHARS } from '../../../core/routing/key.ts'
import type { KeyRule } from '../../../core/routing/model.ts'
import { geoserverKey } from './key-geoserver.ts'
import { openmeteoKey } from './key-openmeteo.ts'
import {
  ANY_BYTE,
  atBase,
  below,
  is,
  type KeyPart,
  KeyPartWriter,
  type Mapping,
  missing,
  NOTHING,
} from './key-parts.ts'

/**
 * Puts the key of a request into `txn.key`, by the first rule that finds one, as `keyOf` of core/routing does. Needs `txn.path`
 * (decoded, no empty or dot segments) and `txn.query` (as it was sent); `folder` is where the files will be.
 */
export function keyPart(rules: readonly KeyRule[], folder: string): KeyPart {
  const writer = new KeyPartWriter(folder)
  for (const [index, rule] of rules.entries()) {
    const found = byRule(rule, (name) => `r${index + 1}_${name}`, writer)
    const isKey = `{ var(txn.${found}) -m reg '^[A-Za-z0-9_.:@~+/-]{1,${KEY_CHARS}}\\z' }`
    writer.set('key', `var(txn.${found})`, missing('key'), isKey)
  }
  return writer.part
}

/** Puts something into `txn.every` for requests that must reach every node. */
export function everyNodePart(rules: readonly KeyRule[], folder: string): KeyPart {
  const writer = new KeyPartWriter(folder)
  const pages = rules.flatMap((rule): readonly Mapping[] =>
    rule.system === 'erddap' ? [[`${below(rule.base)}${ERDDAP_LANGUAGE}${ERDDAP_EVERY_NODE}\\z`, '1']] : [],
  )
  if (pages.length > 0) writer.set('every', `var(txn.path),${writer.map('every-node.map', pages)}`)
  return writer.part
}

/** Answers the variable that holds what the rule finds. */
function byRule(rule: KeyRule, own: (name: string) => string, writer: KeyPartWriter): string {
  if (rule.system === 'rule') return byPath([ownPattern(rule.pattern), '\\1'], own('own'), writer)
  return BY_SYSTEM[rule.system](rule.base, own, writer)
}

type Find = (base: string, own: (name: string) => string, writer: KeyPartWriter) => string

const BY_SYSTEM: Readonly<Record<Exclude<KeyRule['system'], 'rule'>, Find>> = {
  erddap: erddapKey,
  geoserver: geoserverKey,
  openmeteo: openmeteoKey,
  path: (base, own, writer) => byPath([`${below(base)}([^/]+)`, '\\1'], own('part'), writer),
}

function byPath(mapping: Mapping, variable: string, writer: KeyPartWriter): string {
  writer.set(variable, `var(txn.path),${writer.map(`${variable}.map`, [mapping])}`)
  return variable
}

function erddapKey(base: string, own: (name: string) => string, writer: KeyPartWriter): string {
  const id = own('id')
  // Possessive: a language that is there is never taken for part of a page.
  const page = `${ANY_BYTE}${below(base)}${ERDDAP_LANGUAGE}+`
  const inPath = writer.map(`${id}.map`, [
    [`${page}${ERDDAP_NOT_A_DATASET}\\z`, NOTHING],
    ...ERDDAP_FORMS.map((form): Mapping => [`${page}${form}\\z`, '\\1']),
    [atBase(base), NOTHING],
  ])
  writer.set(id, `var(txn.path),${inPath}`)
  const isId = writer.map('erddap-id.map', [
    ['^allDatasets\\z', NOTHING],
    ['^([A-Za-z0-9_][A-Za-z0-9_.-]*)\\z', '\\1'],
  ])
  writer.set(id, `${writer.parameter(ERDDAP_PARAMETER)},${isId}`, is(id, NOTHING))
  return id
}

/** JavaScript's `$` is the very end, and its `.` is no end of a line, whichever that is. */
function ownPattern(pattern: string): string {
  return `(*ANYCRLF)${pattern.replace(/(?<!\\)\$$/, '\\z')}`
}
