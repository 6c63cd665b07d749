"""NWB extension and predictor for cell activity and cell types from calcium-imaging movies."""
