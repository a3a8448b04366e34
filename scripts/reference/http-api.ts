import { code, page, tableOf } from './page.ts'

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
}

/** docs/reference/http-api.md, from the hub's own OpenAPI document. */
export function httpApiPage(document: string): string {
  const { openapi, paths } = JSON.parse(document) as OpenApi
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags ?? []))].toSorted()
  return page(
    'HTTP API',
    `Every route, in short. A hub serves the whole description (OpenAPI ${openapi}) at \`/v1/openapi.json\`; it is also [here](openapi.json).`,
    'A token is sent as `Authorization: Bearer …`. A failure is `{"error": {"code", "message", "hint", "problems", "requestId"}}` with a code of [Errors](errors.md).',
    ...tags.map((tag) => {
      const rows = operations
        .filter(({ operation }) => operation.tags?.includes(tag))
        .map(({ path, method, operation: { summary = '', description = '' } }) => [
          code(`${method.toUpperCase()} ${path}`),
          `${summary}. ${description.replaceAll('\n\n', ' ')}`.trim(),
        ])
      return `## ${tag}\n\n${tableOf(['route', ''], rows)}`
    }),
  )
}
