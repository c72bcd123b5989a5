"""Outputs folders from the files of other tools: tables, arrays, COCO's and YOLO's formats."""
