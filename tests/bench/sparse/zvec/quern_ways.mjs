// quern through its C API, called by koffi. No struct crosses the border: errors are told by status
// alone.
import koffi from 'koffi';

export class Quern {
  constructor(library) {
    const lib = koffi.load(library);
    const call = (signature) => lib.func(signature);
    this.open = call('int32_t quern_open(const char *, const char *, _Out_ void **, void *)');
    this.close = call('void quern_close(void *)');
    this.version = call('const char *quern_build_info(void)');
    this.schemaNew = call('void *quern_schema_new(void)');
    this.schemaSparse = call('void quern_schema_sparse(void *, const char *, const char *)');
    this.schemaFree = call('void quern_schema_free(void *)');
    this.create = call('int32_t quern_create(void *, const char *, void *, void *)');
    this.batchNew = call('void *quern_batch_new(void *, const char *, size_t)');
    this.batchFree = call('void quern_batch_free(void *)');
    this.batchKeys = call('void quern_batch_key_int(void *, const int64_t *)');
    this.batchSparse = call(
      'void quern_batch_sparse(void *, const char *, const size_t *, const uint32_t *, const float *, const uint8_t *)');
    this.insert = call('int32_t quern_insert(void *, void *, void *)');
    this.optimize = call('int32_t quern_optimize(void *, const char *, uint32_t, void *)');
    this.queryNew = call('void *quern_query_new(void *, const char *)');
    this.queryFree = call('void quern_query_free(void *)');
    this.querySparse = call(
      'void quern_query_sparse(void *, const char *, const size_t *, const uint32_t *, const float *, size_t)');
    this.queryLimit = call('void quern_query_limit(void *, size_t)');
    this.queryOptions = call('void quern_query_options(void *, const char *)');
    this.search = call('int32_t quern_search(void *, _Out_ void **, void *)');
    this.rows = call('size_t quern_result_rows(void *)');
    this.key = call('int64_t quern_result_key_int(void *, size_t)');
    this.resultFree = call('void quern_result_free(void *)');
  }

  check(status, what) {
    if (status !== 0) throw new Error(`quern: ${what} returned ${status}`);
  }

  // A collection with one sparse field, in memory, optimized.
  load(records, fieldOptions) {
    const out = [null];
    this.check(this.open(':memory:', 'threads=1', out, null), 'open');
    this.db = out[0];
    const schema = this.schemaNew();
    this.schemaSparse(schema, 'w', fieldOptions);
    this.check(this.create(this.db, 'docs', schema, null), 'create');
    this.schemaFree(schema);
    for (let first = 0; first < records.length; first += 10000) {
      const some = records.slice(first, first + 10000);
      const offsets = new BigUint64Array(some.length + 1);
      some.forEach((record, i) => { offsets[i + 1] = offsets[i] + BigInt(record.length); });
      const entries = some.flat();
      const batch = this.batchNew(this.db, 'docs', some.length);
      const keys = BigInt64Array.from(some.map((_, i) => BigInt(first + i)));
      const dims = Uint32Array.from(entries, (entry) => entry[0]);
      const weights = Float32Array.from(entries, (entry) => entry[1]);
      this.batchKeys(batch, keys);
      this.batchSparse(batch, 'w', offsets, dims, weights, null);
      this.check(this.insert(batch, null, null), 'insert');
      this.batchFree(batch);
    }
    this.check(this.optimize(this.db, null, 0, null), 'optimize');
  }

  // Something that runs one query and gives its keys, with what it is asked by ready in memory.
  prepare(query, k, options) {
    const held = {
      offsets: BigUint64Array.from([0n, BigInt(query.length)]),
      dims: Uint32Array.from(query, (entry) => entry[0]),
      weights: Float32Array.from(query, (entry) => entry[1]),
    };
    return () => {
      const handle = this.queryNew(this.db, 'docs');
      this.querySparse(handle, 'w', held.offsets, held.dims, held.weights, 1);
      this.queryLimit(handle, k);
      this.queryOptions(handle, options);
      const out = [null];
      this.check(this.search(handle, out, null), 'search');
      const keys = [];
      const rows = Number(this.rows(out[0]));
      for (let row = 0; row < rows; row++) keys.push(Number(this.key(out[0], row)));
      this.resultFree(out[0]);
      this.queryFree(handle);
      return keys;
    };
  }
}
