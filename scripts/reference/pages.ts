import { openApiDocument } from '../../src/hub/hub.ts'
import { cliPage } from './cli.ts'
import { configPage } from './config.ts'
import { errorsPage } from './errors.ts'
import { httpApiPage } from './http-api.ts'

/** Every generated file of docs/reference, by name. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const openApi = await openApiDocument()
  return new Map([
    ['cli.md', await cliPage()],
    ['config.md', configPage()],
    ['errors.md', errorsPage()],
    ['http-api.md', httpApiPage(openApi)],
    ['openapi.json', openApi],
  ])
}
