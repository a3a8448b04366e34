import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Access, Route } from './route.ts'
import { ROUTES } from './routes.ts'
import { named, zErrorBody } from './schemas/common.ts'

/** The version of the API, which is not that of the program: the document changes only when the API does. */
const API_VERSION = '1'

const DESCRIPTION =
  'The API of a Flotilla hub. Every failure has the body of `Error`, with a code of docs/reference/errors.md. ' +
  'A token is sent as `Authorization: Bearer flt_…`. Each operation says which scopes its token needs: a scope is a ' +
  'verb and a prefix of keys, and covers what lies under it.'

/** Collects the schemas of the routes that are registered after it. */
export async function addDocument(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Flotilla', version: API_VERSION, description: DESCRIPTION, license: { name: 'Apache-2.0' } },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    exposeHeadRoutes: true,
    transform: createJsonSchemaTransform({ schemaRegistry: named }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry: named }),
  })
}

/** OpenAPI 3.1 of every route, as JSON with sorted members: the same code gives the same text. */
export function renderDocument(app: FastifyInstance): string {
  const text = JSON.stringify(app.swagger())
  // OpenAPI has no name for what a wildcard matches, and the library's is the star.
  const document = JSON.parse(text.replaceAll('{*}', '{path}').replaceAll('"name":"*"', '"name":"path"')) as Document
  // Named schemas are all parts of answers; the library makes a second one of each, for requests.
  const { schemas } = document.components
  for (const name of Object.keys(schemas)) if (name.endsWith('Input')) delete schemas[name]
  for (const { id, takesBytes, method, url } of ROUTES) {
    const operation = document.paths[pathOf(url)]?.[method.toLowerCase()]
    if (operation === undefined) continue
    operation['operationId'] = id
    const content = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }
    if (takesBytes === true) operation['requestBody'] = { required: true, content }
  }
  return `${JSON.stringify(document, sortMembers, 2)}\n`
}

interface Document {
  readonly components: { readonly schemas: Record<string, unknown> }
  readonly paths: Record<string, Record<string, Record<string, unknown>> | undefined>
}

/** What Fastify validates by, and the document says of the route. */
export function schemaOf(route: Route): FastifySchema {
  const { params, body, query = z.strictObject({}), status = 200, access } = route
  return {
    operationId: route.id,
    summary: route.summary,
    description: [route.details, needsOf(access)].filter((text) => text !== undefined).join('\n\n'),
    tags: [tagOf(route.url)],
    security: access === 'public' ? [] : [{ token: [] }],
    ...(params !== undefined && { params }),
    ...(body !== undefined && { body }),
    querystring: query,
    response: { [status]: answerOf(route), default: zErrorBody },
  }
}

function answerOf({ answer, answerType, status }: Route): unknown {
  if (answer !== undefined) return answer
  if (status === 204 || answerType === undefined) return z.null().describe('Done.')
  return { description: 'The answer.', content: { [answerType]: { schema: z.string() } } }
}

function needsOf(access: Access): string {
  if (access === 'public') return 'Needs no token.'
  if (access === 'token') return 'Needs any token.'
  if ('says' in access) return `Needs: ${access.says}.`
  return `Needs: ${access.map((scope) => `\`${scope}\``).join(', ')}.`
}

function tagOf(url: string): string {
  const [, first = '', second = ''] = url.split('/')
  return first === 'v1' && second !== 'openapi.json' ? second : 'hub'
}

/** `/v1/trees/:tree/files/*` as `/v1/trees/{tree}/files/{path}`. */
function pathOf(url: string): string {
  return url.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{path}')
}

function sortMembers(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
