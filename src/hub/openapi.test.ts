import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { openApiDocument } from './hub.ts'
import { ROUTES } from './routes.ts'

interface Operation {
  readonly operationId: string
  readonly description: string
  readonly security: readonly object[]
  readonly responses: Readonly<Record<string, unknown>>
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub()
})
afterAll(() => hub.close())

describe("the API's document", () => {
  it('in docs/reference is that of the code; `npm run docs` writes it', async () => {
    const committed = await readFile(join(import.meta.dirname, '../../docs/reference/openapi.json'), 'utf8')
    expect(committed).toBe(await openApiDocument())
  })

  it('is what the hub serves', async () => {
    const { status, headers, text } = await hub.ask('GET', '/v1/openapi.json', { token: hub.admin })
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
    expect(text).toBe(await openApiDocument())
  })

  it('is OpenAPI 3.1, has every route, and says what each needs', async () => {
    const document = JSON.parse(await openApiDocument()) as Document
    expect(document.openapi).toBe('3.1.0')
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
    expect(operations.map(({ operationId }) => operationId).toSorted()).toEqual(ROUTES.map(({ id }) => id).toSorted())
    for (const { access, id } of ROUTES) {
      const operation = operations.find(({ operationId }) => operationId === id)
      expect(operation?.description).toMatch(/Needs/)
      expect(operation?.security).toEqual(access === 'public' ? [] : [{ token: [] }])
      expect(Object.keys(operation?.responses ?? {})).toContain('default')
    }
  })

  it('refers only to what it holds', async () => {
    const text = await openApiDocument()
    const { schemas } = (JSON.parse(text) as Document).components
    const names = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? '')
    expect(names.length).toBeGreaterThan(20)
    for (const name of names) expect(Object.keys(schemas)).toContain(name)
    for (const name of Object.keys(schemas)) expect(names).toContain(name)
  })
})
