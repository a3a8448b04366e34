import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import type { ListName } from '../../core/lists.ts'
import { zDataset } from '../../hub/schemas/common.ts'
import { zListValue } from '../../hub/schemas/lists.ts'

/** What ERDDAPUtil can be asked to do, in our words. */
export type Command =
  | { readonly is: 'reload'; readonly datasets: readonly string[] | undefined; readonly flag: Flag }
  | { readonly is: 'activate'; readonly datasets: readonly string[]; readonly active: boolean }
  | { readonly is: 'compile'; readonly reloadAll: boolean }
  | { readonly is: 'list'; readonly list: ListName; readonly op: 'add' | 'remove'; readonly values: readonly string[] }
  | { readonly is: 'clear-cache'; readonly datasets: readonly string[] | undefined }
  | { readonly is: 'flush-logs' }
  | { readonly is: 'datasets' }

type Flag = 'soft' | 'bad-files' | 'hard'

/** One dataset, several with commas, or a list of them. */
const many = (each: z.ZodType<string, string>) =>
  z
    .union([z.string().max(100_000).transform(split), z.array(z.string()).max(1000)])
    .pipe(z.array(each).min(1).max(1000))

/** Nothing, `""` and `null` stand for all of them. */
const orAll = z.preprocess((value) => (value === '' || value === null ? undefined : value), many(zDataset).optional())

export const zDatasetIds = many(zDataset)
export const zDatasetIdsOrAll = orAll
export const zValues = many(zListValue)

export const zReloadFlag = z
  .union([z.literal(0), z.literal(1), z.literal(2)])
  .default(0)
  .transform((flag): Flag => (['soft', 'bad-files', 'hard'] as const)[flag])

function split(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

const listOf = (name: ListName, member: string, switchName: string) =>
  z.object({ [member]: zValues, [switchName]: z.boolean().default(true) }).transform((kwargs): Command => ({
    is: 'list',
    list: name,
    op: kwargs[switchName] === true ? 'add' : 'remove',
    values: kwargs[member] as string[],
  }))

/** By the names that travel in its messages. Members that nobody knows are passed over, as ERDDAPUtil's own do. */
const MESSAGES: Readonly<Record<string, z.ZodType<Command>>> = {
  reload_datasets: z
    .object({ dataset_id: zDatasetIds, flag: zReloadFlag })
    .transform(({ dataset_id, flag }) => ({ is: 'reload', datasets: dataset_id, flag })),
  reload_all_datasets: z.object({ flag: zReloadFlag }).transform(({ flag }) => ({
    is: 'reload',
    datasets: undefined,
    flag,
  })),
  set_active_flag: z
    .object({ dataset_id: zDatasetIds, active_flag: z.boolean() })
    .transform(({ dataset_id, active_flag }) => ({ is: 'activate', datasets: dataset_id, active: active_flag })),
  compile_datasets: z
    .object({ reload_all_datasets: z.boolean().nullish() })
    .transform(({ reload_all_datasets }) => ({ is: 'compile', reloadAll: reload_all_datasets ?? false })),
  manage_email_block_list: listOf('subscriptionEmailBlacklist', 'email_address', 'block'),
  manage_ip_block_list: listOf('requestBlacklist', 'ip_address', 'block'),
  manage_unlimited_allow_list: listOf('ipAddressUnlimited', 'ip_address', 'allow'),
  clear_erddap_cache: z
    .object({ dataset_id: orAll })
    .transform(({ dataset_id }) => ({ is: 'clear-cache', datasets: dataset_id })),
  flush_logs: z.object({}).transform(() => ({ is: 'flush-logs' })),
  list_datasets: z.object({}).transform(() => ({ is: 'datasets' })),
}

/** A command of a message. Throws `BAD_REQUEST`. */
export function parseCommand(name: string, kwargs: unknown): Command {
  const schema = Object.hasOwn(MESSAGES, name) ? MESSAGES[name] : undefined
  if (schema === undefined) {
    throw new FlotillaError('BAD_REQUEST', `ERDDAPUtil has no command ${JSON.stringify(name.slice(0, 60))}`)
  }
  const parsed = schema.safeParse(kwargs)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new FlotillaError('BAD_REQUEST', `${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`)
}
