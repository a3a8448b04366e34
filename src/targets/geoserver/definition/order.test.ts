import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readDirectory, smallDirectory } from '../../../../test/helpers/geoserver-directory.ts'
import { creationOrder, deletionOrder } from './order.ts'

const entries = [...readDirectory(smallDirectory()).catalog.entries.values()]

test('whatever the order they come in, everything is made after what it needs, and goes before it', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(entries), (some) => {
      const order = creationOrder(some)
      expect(order.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual(
        some.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      )
      const place = new Map(order.map(({ key }, index) => [key, index]))
      for (const { key, needs } of order) {
        for (const needed of needs) expect(place.get(needed) ?? -1).toBeLessThan(place.get(key) ?? -1)
      }
      expect(deletionOrder(some)).toEqual(order.toReversed())
    }),
  )
})

test('kinds come one after the other, graphics and templates first, access rules behind the layers they name', () => {
  const order = creationOrder(entries).map(({ key }) => key)
  const places = [
    'file/workspaces/w1/styles/icon.svg',
    'workspace/w1',
    'namespace/w1',
    'workspace-settings/w1',
    'service/w1:wms',
    'style/w1:burg',
    'datastore/w1:store',
    'featuretype/w1:cities',
    'layer/w1:cities',
    'layergroup/w1:inner',
    'layergroup/all',
    'tile-layer/all',
    'file/security/layers.properties',
    'default-workspace/default',
    'global/global',
  ].map((key) => order.indexOf(key))
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places[0]).toBeGreaterThanOrEqual(0)
})

test('groups that hold each other, and a chain of ten thousand, come to an end', () => {
  const group = (name: string, ...needs: string[]) => ({ key: `layergroup/${name}`, needs, class: 'object' as const })
  expect(creationOrder([group('a', 'layergroup/b'), group('b', 'layergroup/a')])).toHaveLength(2)
  const chain = Array.from({ length: 10_000 }, (_, index) => group(String(index), `layergroup/${index + 1}`))
  expect(creationOrder(chain)[0]?.key).toBe('layergroup/9999')
})
