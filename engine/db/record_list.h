// Lists of records: those that match a filter, in key order or by attributes, page by page.
#pragma once

#include <string>

#include "engine/db/record_filter.h"

namespace quern {

class ResultTable;

struct ListRequest {
    std::string collection;
    RecordFilter filter;
    std::string order;     // filter/record_order.h; empty: by key
    std::string bookmark;  // of the page before; empty: from the beginning
    std::string columns;
    size_t limit = 10;  // 0: all
};

Status ListRecords(Database* database, const std::shared_ptr<Snapshot>& snapshot,
                   const ListRequest& request, ResultTable* table);

}  // namespace quern
