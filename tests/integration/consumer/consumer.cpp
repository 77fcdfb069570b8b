// The main job from C++ through an installed quern.hpp: open, insert, search, close, in a file.
#include <quern.hpp>

#include <cstdio>
#include <iostream>

int main() {
    std::remove("consumer.quern");
    {
        const quern::Database db = quern::open("consumer.quern");
        const quern::Schema schema =
            quern::Schema().key_text().dense("emb", 2, QUERN_L2).text("body");
        const std::vector<float> matrix = {0, 0, 1, 0, 5, 5};
        db.collection("points", schema)
            .batch(3)
            .ids({"a", "b", "c"})
            .dense("emb", matrix)
            .texts("body", {"white", "black", "white"})
            .insert();
    }
    const quern::Database db = quern::open("consumer.quern", "mode=ro");
    const quern::Collection points = db.collection("points");
    const quern::Rows near = points.query().dense("emb", {0.9f, 0.1f}).limit(1).search();
    const quern::Rows white = points.query().text("body", "white").search();
    const bool right = near.size() == 1 && near[0].text_id() == "b" && white.size() == 2;
    std::cout << (right ? quern_version() : "wrong answer") << '\n';
    return right ? 0 : 1;
}
