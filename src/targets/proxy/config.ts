import { isIP } from 'node:net'
import { z } from 'zod'
import { isName } from '../../core/keys.ts'
import { isBase } from '../../core/routing/check-table.ts'
import { isKey } from '../../core/routing/key.ts'
import type { KeyRule } from '../../core/routing/model.ts'
import { patternFault } from '../../core/routing/pattern.ts'
import { networksOf } from './keeper/addresses.ts'

const NODE = 'takes the name of a node'
const node = z.string({ error: NODE }).refine(isName, { error: NODE })
const SHARERS = 'takes 2, 3 or 4'
const KEY = 'takes the name of an item, such as a datasetID'
const key = z.string({ error: KEY }).refine(isKey, { error: KEY })
const milliseconds = z.int().min(50).max(60_000)
const times = z.int().min(1).max(20)

const RULE = 'takes erddap:/erddap, geoserver:/geoserver, openmeteo:/, path:/PREFIX or rule:^/PREFIX/([^/]+)/'
const rule = z
  .string({ error: RULE })
  .superRefine((text, context) => {
    const fault = ruleFault(text)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  })
  .transform((text): KeyRule => parseRule(text) ?? { system: 'path', base: '' })

const network = z.string().refine(isNetwork, { error: 'takes a network such as 10.0.0.0/8' })
const NODE_URL = 'takes an address such as http://10.0.0.7:8080'
const nodeUrl = z
  .string()
  .regex(/^http:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?\/?$/, { error: NODE_URL })
const PAGE = 'takes a path such as /erddap/version'
const page = z.string().regex(/^\/[!-~]{0,199}$/, { error: PAGE })
const ENDPOINT = 'takes ADDRESS:PORT in numbers, such as 127.0.0.1:8472'

/** `erddap:/erddap`; undefined for what is no rule. */
function parseRule(text: string): KeyRule | undefined {
  const [, system, rest = ''] = /^(erddap|geoserver|openmeteo|path|rule):(.*)$/s.exec(text) ?? []
  if (system === undefined) return undefined
  if (system === 'rule') return { system, name: rest, pattern: rest }
  return { system: system as Exclude<KeyRule['system'], 'rule'>, base: rest.replace(/\/$/, '') }
}

function ruleFault(text: string): string | undefined {
  const parsed = parseRule(text)
  if (parsed === undefined) return RULE
  if (parsed.system !== 'rule') return isBase(parsed.base) ? undefined : RULE
  const fault = patternFault(parsed.pattern)
  return fault === undefined ? undefined : `cannot be a rule: ${fault}`
}

function isNetwork(text: string): boolean {
  try {
    networksOf([text])
    return true
  } catch {
    return false
  }
}

function isEndpoint(text: string): boolean {
  const [, v6, v4, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? []
  return isIP(v6 ?? v4 ?? '') !== 0 && Number(port) >= 1 && Number(port) <= 65_535
}

const probe = z.strictObject({
  path: page
    .optional()
    .describe(
      'page of every node that is asked for again and again; /erddap/version, or / without ERDDAP, when not set',
    ),
  status: z.int().min(100).max(599).default(200).describe('status that its answer must have'),
  everyMs: milliseconds.default(1000).describe('how often it is asked for'),
  timeoutMs: milliseconds.default(800).describe('how long an answer may take'),
  fall: times.default(2).describe('after how many failures in a row a node gets no more requests'),
  rise: times.default(2).describe('after how many good answers it gets them again'),
})

const flags = z.strictObject({
  listen: z
    .string({ error: ENDPOINT })
    .refine(isEndpoint, { error: ENDPOINT })
    .describe(
      'where this agent takes the setDatasetFlag.txt requests that the proxy gets; of this machine only, as a rule',
    ),
  urls: z
    .array(z.string().regex(/^https?:\/\/[^\s?#]+$/, { error: 'takes a URL such as https://data.example.org/erddap' }))
    .min(1)
    .describe(
      'address of the public ERDDAP, baseUrl or baseHttpsUrl of its setup.xml with /erddap; both if both are used',
    ),
  keyFile: z.string().min(1).describe('file that holds flagKeyKey of setup.xml, which must be the same on every node'),
  tokenFile: z
    .string()
    .min(1)
    .describe('file that holds a token of the hub with write:request/TREE, with which the nodes are asked'),
})

/** What an agent is told of a proxy beside it, whatever the proxy's kind. */
export const proxySchema = z.strictObject({
  tree: node.default('datasets').describe('tree whose nodes are behind it'),
  rules: z
    .array(rule)
    .min(1)
    .prefault(['erddap:/erddap'])
    .describe(
      'how an item is found in a URL; the first that finds one counts: erddap:/erddap, path:/tiles, rule:^/x/([^/]+)/',
    ),
  nodes: z
    .record(node, nodeUrl)
    .default({})
    .meta({ description: 'where the proxy reaches a node, instead of what the node says; needed without a hub' }),
  networks: z
    .array(network)
    .default([])
    .describe('networks in which nodes may be, such as 10.0.0.0/8; any when not set'),
  weights: z
    .record(node, z.int().min(1).max(256))
    .default({})
    .meta({ description: 'share of the items that a node gets, 1 to 256; 100 when not set' }),
  hot: z
    .record(key, z.int({ error: SHARERS }).min(2, { error: SHARERS }).max(4, { error: SHARERS }))
    .default({})
    .meta({ description: 'an item that is asked for so much that 2, 3 or 4 nodes share it' }),
  bound: z.number().min(1).max(10).default(1.25).describe('no node owns more than this times the mean of items'),
  depth: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .describe('owners that are named for each item, in the order in which they are asked'),
  probe: probe.prefault({}),
  flags: flags.optional(),
})
