// The efforts that one curve answers with for one k, from the lowest told recall to the highest.
//
// Who asks for more recall gets an effort that is in no way smaller: a curve answers by pools or by
// reaches, whichever is cheaper over the recalls that are usually told, and neither the walk nor
// refine ever shrinks from one recall to a higher one. Of two efforts that promise about the same
// the cheaper would do if all queries were like the records; for others they differ: texts asked of
// abstracts (scifact) got .961 by a pool that promised .89, and .853 by a reach that promised .895.
//
// Thread rule: confined. The curve stays borrowed.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

#include "engine/dense/effort_curve.h"

namespace quern::dense {

class EffortLadders {
public:
    // refine_rows: as for EffortCurve::Find. Cost: about 10 us.
    EffortLadders(const EffortCurve& curve, size_t k_number, double refine_rows);
    // False: no effort of the curve gives so much.
    bool Find(double wanted, Effort* effort) const;

private:
    // Told recalls at which refine may change; between two of them only the walk grows.
    static constexpr std::array<double, 8> kRungs = {0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0};
    struct Rung {
        double place = 0;   // among the steps of the way; may be between two
        size_t refine = 0;  // number of what is measured again
        double cost = std::numeric_limits<double>::infinity();  // infinite: none gives the recall
        bool there() const { return cost < std::numeric_limits<double>::infinity(); }
    };
    struct Ladder {
        bool by_reach = false;
        std::array<Rung, kRungs.size()> rungs;
        size_t first() const { return by_reach ? EffortCurve::kEf.size() : 0; }
        size_t end() const { return by_reach ? EffortCurve::kSteps : EffortCurve::kEf.size(); }
    };
    double Scored(size_t step) const { return static_cast<double>(curve_.Scored(k_number_, step)); }
    double At(size_t step, size_t refine) const {
        return static_cast<double>(curve_.At(k_number_, step, refine));
    }
    double PlaceFor(const Ladder& ladder, size_t refine, double wanted) const;
    Effort EffortAt(const Ladder& ladder, const Rung& rung) const;
    Ladder Make(bool by_reach) const;
    static bool ReachPays(const Ladder& pools, const Ladder& reaches);
    bool Climb(const Ladder& ladder, double wanted, Rung* rung) const;

    const EffortCurve& curve_;
    size_t k_number_;
    double refine_rows_;
    Ladder way_;        // the one that is taken
    Ladder other_way_;  // where the first does not get that far
};

}  // namespace quern::dense
