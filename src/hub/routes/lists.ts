import { z } from 'zod'
import type { ListChange, ListChangeAnswer, ListName } from '../../core/lists.ts'
import type { Caller } from '../caller.ts'
import type { HubContext } from '../context.ts'
import { changeList, readList } from '../lists.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zListAnswer, zListChange, zListChangeAnswer, zListName, zListValue } from '../schemas/lists.ts'

const zTreeList = z.strictObject({ tree: zName, list: zListName })
const zTreeListValue = z.strictObject({ tree: zName, list: zListName, value: zListValue })

/** Blocked and unlimited addresses: in force with every release, and no part of any. */
export const listRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/trees/:tree/lists/:list',
    id: 'list',
    summary: 'Values of a list, and which of them no ERDDAP can be told',
    access: ['read:list/{tree}/{list}'],
    params: zTreeList,
    answer: zListAnswer,
    handler: async (hub, { params }) => readList(hub, params),
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/lists/:list',
    id: 'changeList',
    summary: 'Puts values on a list and takes others off, all at once',
    details:
      'Every node takes the list over, also one that is away now. What is so already stays as it is. `covered` names ' +
      'what was taken off and still lies in a network on the list; `left` what a proxy has to enforce.',
    access: ['write:list/{tree}/{list}'],
    params: zTreeList,
    body: zListChange,
    answer: zListChangeAnswer,
    handler: async (hub, { params, body, caller }) => change(hub, params, body, caller),
  }),
  route({
    method: 'PUT',
    url: '/v1/trees/:tree/lists/:list/:value',
    id: 'putListValue',
    summary: 'Puts one value on a list; its slash is written %2F',
    access: ['write:list/{tree}/{list}'],
    params: zTreeListValue,
    answer: zListChangeAnswer,
    handler: async (hub, { params, caller }) => change(hub, params, { add: [params.value] }, caller),
  }),
  route({
    method: 'DELETE',
    url: '/v1/trees/:tree/lists/:list/:value',
    id: 'deleteListValue',
    summary: 'Takes one value off a list',
    access: ['write:list/{tree}/{list}'],
    params: zTreeListValue,
    answer: zListChangeAnswer,
    handler: async (hub, { params, caller }) => change(hub, params, { remove: [params.value] }, caller),
  }),
]

async function change(
  hub: HubContext,
  { tree, list }: { readonly tree: string; readonly list: ListName },
  wanted: ListChange,
  caller: Caller,
): Promise<ListChangeAnswer> {
  const answer = await changeList(hub, { tree, list }, wanted, caller.label)
  const { added, removed, revision } = answer
  // Not which: a log is read by more people than a list.
  hub.log.info('list changed', { list, by: caller.id, added: added.length, removed: removed.length, revision })
  return answer
}
