"""From a dandiset to a derived file that its archive accepts: find, look, predict, check, and how to upload.

    python dandi_workflow.py 000026 --to derived
    DANDI_INSTANCE=https://dandi.my-lab.org python dandi_workflow.py 000001 --to derived

Nothing is downloaded as a whole, and nothing is uploaded.
"""

from __future__ import annotations

import argparse

from ndx_cinac.dandi import (
    DerivedOptions,
    find_assets,
    list_assets,
    open_asset,
    plan_upload,
    predict_asset,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dandiset")
    parser.add_argument("--to", required=True, help="local copy of the dandiset")
    parser.add_argument("--classifier", default="activity-sim")
    arguments = parser.parse_args()

    # Find: which assets hold a movie and ROIs? Their structure is read, not their movies.
    listed = list(list_assets(find_assets(arguments.dandiset)))
    good = [each for each in listed if not each.reason]
    for each in listed:
        print(each.asset.path, each.reason or f"{each.n_rois} ROIs, {each.shape[0]} frames")
    if not good:
        parser.exit(1, "There is nothing to predict.\n")

    # Look: an open asset is an NWB file like any other; what is read of it comes over the network.
    with open_asset(good[0].asset) as opened:
        print(f"\n{opened.nwbfile.session_description} (subject {opened.nwbfile.subject.subject_id})")
        print(f"{opened.traffic.bytes / 1e6:.1f} of {good[0].asset.size / 1e6:.1f} MB were read so far")

    # Predict: each chunk of the movie is fetched once, while the ones before it are being worked on.
    # What the source does not say of its subject can be supplied with subject={"sex": "F", ...}.
    derived = predict_asset(good[0].asset, arguments.to, arguments.classifier, DerivedOptions())
    print(f"\n{derived.result.summary()}")
    print(f"{derived.traffic.bytes / 1e6:.1f} MB in {derived.traffic.requests} requests")

    # Validate: what `dandi validate` says, and what it does not say.
    for finding in derived.findings:
        print(finding)

    # Upload: the command, for you to run when you have looked at the file.
    if derived.ready:
        plan = plan_upload(arguments.to, [derived.in_dandiset], derived.asset.archive.option)
        print(f"\n{plan.to_text()}\n  {plan.command}")


if __name__ == "__main__":
    main()
